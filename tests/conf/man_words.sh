#!/bin/sh
# man_words.sh DECKCHECK MAN: the man page stackd.deck(5) describes every word
# of ADAPTER, TCP, IP and LIMIT that the program knows and no other one, and
# the decks of its EXAMPLES are correct.
set -eu
deckcheck=$1
man=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

# the program's words, from what it expects in place of a wrong one
words() {
	printf 'ID 01\nDEVICE D OSAX D00 P D02\n%s WRONG 1\n' "$1" > "$tmp/d"
	"$deckcheck" "$tmp/d" 2>&1 >/dev/null |
	    sed -n "s/.*word 'WRONG': expected //p" |
	    sed 's/,/ /g; s/ or / /' | tr -s ' ' '\n' | sort
}

# the man page's words: .It Cm below the command's .It Ic or .Ic
described() {
	awk -v command="$1" '
	/^\.(It )?Ic / {
		for (i = 1; i <= NF && $i != "Ic" && $i != ".Ic"; i++)
			;
		current = $(i + 1)
	}
	/^\.Ss/ { current = "" }
	/^\.It Cm / && current == command { print $3 }
	' "$man" | sort -u
}

for command in ADAPTER TCP IP LIMIT; do
	case $command in
	ADAPTER) words "ADAPTER D" > "$tmp/have" ;;
	*) words "$command" > "$tmp/have" ;;
	esac
	described "$command" > "$tmp/told"
	if ! [ -s "$tmp/have" ] || ! diff "$tmp/have" "$tmp/told"; then
		echo "$command: the words of the program (<) and of the man" \
		    "page (>) differ" >&2
		bad=1
	fi
done

# decks among the examples: literal blocks that end in ATTACH or EOJ
awk -v dir="$tmp" '
/^\.Sh EXAMPLES/ { on = 1 }
/^\.Sh/ && !/EXAMPLES/ { on = 0 }
/^\.Bd -literal/ && on { n++; file = dir "/example" n; next }
/^\.Ed/ { file = "" }
file { print > file }
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
