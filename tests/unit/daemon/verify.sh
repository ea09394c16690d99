#!/bin/sh
# usage: verify.sh SYSTEMD-ANALYZE UNIT PROGRAM: systemd understands every
# line of the template, with the program at a path that exists.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
name=$(basename "$2")
program=$(basename "$3")
sed "s#=[^ ]*/$program#=$3#" "$2" >"$dir/$name"
instance=$(echo "$name" | sed 's/@/@test/')
if ! text=$("$1" verify --man=no "$dir/$instance" 2>&1); then
	echo "$text"
	exit 1
fi
# verify warns about lines it does not know and exits with 0
case $text in
*"$name"*)
	echo "$text"
	exit 1
	;;
esac
echo "$name is understood"
