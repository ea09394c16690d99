# msg_gen.awk: reads the catalogue and writes, by -v out=ids|table|man, the
# header with the enum, the rows of the table, or couplet-messages(7).
# -v date="Month D, YYYY" is the date of the man page. Any mistake in the
# catalogue ends with a message and exit status 1, so the build stops.

function fail(text)
{
	printf "%s:%d: %s\n", FILENAME, NR, text > "/dev/stderr"
	failed = 1
	exit 1
}

# conversions of a printf pattern; %% is none
function conversions(text,    n)
{
	gsub(/%%/, "", text)
	n = gsub(/%[-+ #0]*[0-9*]*(\.[0-9*]+)?(hh|h|ll|l|z)?[diouxXsc]/, "&",
	    text)
	return n
}

function quote(text)
{
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

function finish()
{
	if (n == 0)
		return
	if (what[n] == "" || action[n] == "")
		fail(id[n] ": what: or do: is missing")
	if (conversions(text[n]) != (args[n] == "" ? 0 : split(args[n], a, ", ")))
		fail(id[n] ": args: does not name each conversion once")
}

/^#/ || /^[ \t]*$/ { next }

/^[^ \t]/ {
	finish()
	if ($1 !~ /^(BSTT|CPLT)[0-9][0-9][0-9][IWEA]$/)
		fail("'" $1 "' is no message id")
	number = substr($1, 1, 7)
	if (number in seen)
		fail(number " was used before in line " seen[number])
	seen[number] = NR
	n++
	id[n] = $1
	text[n] = substr($0, 10)
	if (text[n] == "")
		fail($1 ": no text")
	field = ""
	next
}

{
	if (n == 0)
		fail("text before the first id")
	line = $0
	sub(/^[ \t]+/, "", line)
	if (line ~ /^(args|what|do):/) {
		field = substr(line, 1, index(line, ":") - 1)
		sub(/^[a-z]+:[ \t]*/, "", line)
	}
	if (field == "")
		fail("expected args:, what: or do:")
	if (field == "args")
		args[n] = args[n] (args[n] == "" ? "" : " ") line
	else if (field == "what")
		what[n] = what[n] (what[n] == "" ? "" : " ") line
	else
		action[n] = action[n] (action[n] == "" ? "" : " ") line
}

function write_ids(    i)
{
	print "/* made from the catalogue by msg_gen.awk */"
	print "#ifndef COUPLET_MSG_IDS_H"
	print "#define COUPLET_MSG_IDS_H"
	print "enum msg_id {"
	for (i = 1; i <= n; i++)
		print "\tMSG_" id[i] ","
	print "\tMSG__COUNT"
	print "};"
	for (i = 1; i <= n; i++)
		print "#define MSG_" id[i] "_TEXT " quote(text[i])
	print "#endif"
}

function write_table(    i, c, sev)
{
	for (i = 1; i <= n; i++) {
		c = substr(id[i], 8)
		sev = c == "I" ? "MSG_INFO" : c == "W" ? "MSG_WARNING" : \
		    c == "E" ? "MSG_ERROR" : "MSG_ACTION"
		printf "{%s, %s, %s,\n %s,\n %s,\n %s},\n", quote(id[i]), sev,
		    quote(text[i]), quote(args[i]), quote(what[i]),
		    quote(action[i])
	}
}

# mdoc text: no line may begin with a control character or be longer than 78
# bytes, and each sentence begins a new line
function roff(text,    words, k, m, line, all)
{
	gsub(/\\/, "\\e", text)
	m = split(text, words, " ")
	line = ""
	all = ""
	for (k = 1; k <= m; k++) {
		if (line != "" && (length(line words[k]) > 76 || \
		    line ~ /[.?]$/)) {
			all = all line "\n"
			line = ""
		}
		if (line == "" && words[k] ~ /^[.']/)
			line = "\\&" words[k]
		else
			line = line (line == "" ? "" : " ") words[k]
	}
	return all line
}

# the pattern with the names of its arguments in place of the conversions
function shown(i,    t, rest, names, k)
{
	rest = text[i]
	split(args[i], names, ", ")
	k = 0
	t = ""
	while (match(rest, /%%|%[-+ #0]*[0-9*]*(\.[0-9*]+)?(hh|h|ll|l|z)?[diouxXsc]/)) {
		t = t substr(rest, 1, RSTART - 1)
		if (substr(rest, RSTART, RLENGTH) == "%%")
			t = t "%"
		else
			t = t "\001" names[++k] "\002"
		rest = substr(rest, RSTART + RLENGTH)
	}
	t = roff(t rest)
	gsub(/\001/, "\\fI", t)
	gsub(/\002/, "\\fP", t)
	return t
}

function write_man(    i)
{
	print ".Dd " date
	print ".Dt COUPLET-MESSAGES 7"
	print ".Os"
	print ".Sh NAME"
	print ".Nm couplet-messages"
	print ".Nd messages of the Couplet daemons"
	print ".Sh DESCRIPTION"
	print "Every message of a Couplet daemon begins with an identifier"
	print "of eight characters: a prefix, three digits, and a letter that"
	print "gives the severity."
	print "Messages with the prefix"
	print ".Li BSTT"
	print "report the events that IPv6/VSE on z/VSE reports under the same"
	print "number; those with"
	print ".Li CPLT"
	print "are Couplet's own."
	print ".Bl -tag -width Ds"
	print ".It Li I"
	print "Information."
	print ".It Li W"
	print "Warning: it works, but perhaps not as somebody expects."
	print ".It Li E"
	print "Error: something was not done."
	print ".It Li A"
	print "Action: somebody must do something now."
	print ".El"
	print ".Pp"
	print "Messages go to the standard error output and, with structured"
	print "fields, to the journal, where"
	print ".Li COUPLET_MSG=CPLT012E"
	print "selects one kind:"
	print ".Pp"
	print ".Dl journalctl COUPLET_MSG=CPLT012E"
	print ".Pp"
	print "Words in italics below stand for values."
	print ".Sh MESSAGES"
	print ".Bl -tag -width Ds"
	for (i = 1; i <= n; i++) {
		print ".It Sy " id[i]
		print shown(i)
		print ".Pp"
		print roff(what[i])
		print ".Pp"
		print ".Em Operator :"
		print roff(action[i])
	}
	print ".El"
	print ".Sh SEE ALSO"
	print ".Xr couplet-deck 5 ,"
	print ".Xr stackd.deck 5 ,"
	print ".Xr stackctl 8 ,"
	print ".Xr stackd 8"
}

END {
	if (failed)
		exit 1
	finish()
	if (n == 0)
		fail("no message")
	if (out == "ids")
		write_ids()
	else if (out == "table")
		write_table()
	else
		write_man()
}
