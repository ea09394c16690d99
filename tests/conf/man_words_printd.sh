#!/bin/sh
# man_words_printd.sh DECKCHECK MAN: the man page printd.deck(5) describes every
# word of LU and LIMIT that the program knows and no other one, and the decks of
# its EXAMPLES are correct.
set -eu
deckcheck=$1
man=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

# the program's words, from what it expects in place of a wrong one
words() {
	printf 'ID 01\n%s WRONG 1\n' "$1" > "$tmp/d"
	"$deckcheck" "$tmp/d" 2>&1 >/dev/null |
	    sed -n "s/.*word 'WRONG': expected //p" |
	    sed 's/,/ /g; s/ or / /' | tr -s ' ' '\n' | sort
}

words 'LU *' > "$tmp/have"
awk '/^\.Sh LU/ { on = 1 } /^\.Sh/ && !/LU$/ { on = 0 }
on && /^\.It Cm / { print $3 }' "$man" | sort -u > "$tmp/told"
if ! [ -s "$tmp/have" ] || ! diff "$tmp/have" "$tmp/told"; then
	echo "LU: the words of the program (<) and of the man page (>) differ" >&2
	bad=1
fi
words LIMIT > "$tmp/have"
awk '/^\.It Ic LIMIT Cm/ { print $5 }' "$man" | sort -u > "$tmp/told"
if ! [ -s "$tmp/have" ] || ! diff "$tmp/have" "$tmp/told"; then
	echo "LIMIT: the words of the program (<) and of the man page (>) differ" >&2
	bad=1
fi

# decks among the examples: literal blocks
awk -v dir="$tmp" '
/^\.Sh EXAMPLES/ { on = 1 }
/^\.Sh/ && !/EXAMPLES/ { on = 0 }
/^\.Bd -literal/ && on { n++; file = dir "/example" n; next }
/^\.Ed/ { file = "" }
file { gsub(/\\e/, "\\"); print > file }
' "$man"
count=0
for deck in "$tmp"/example*; do
	count=$((count + 1))
	if ! "$deckcheck" "$deck" > /dev/null 2> "$tmp/notes" ||
	    grep -q warning "$tmp/notes"; then
		cat "$tmp/notes" >&2
		bad=1
	fi
done
[ "$count" -ge 3 ] || { echo "only $count examples found" >&2; bad=1; }
exit $bad
