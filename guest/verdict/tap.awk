# SPDX-License-Identifier: GPL-2.0-only
#
# Judge the TAP channel of one guest run.
#
# -v expected=FILE	suites that must report, one a line
# -v known=FILE		known failures
# -v noskip=REGEX	suites that must not skip a case
# stdin			the cleaned tap.log (no CRs, no control characters)
#
# Writes one record a line, fields separated by tabs, read by report.awk:
#	suite NAME SECONDS
#	case SUITE CASE pass|fail|skip|known REASON
#	fail SUITE TEXT
#	note TEXT
#	| TEXT			a line of detail, belongs to the record before
#
# Runs in any POSIX awk: no {n,m}, no gensub(), no arrays of arrays.

function oneline(s) {
	gsub(/\t/, " ", s)
	return s
}

function trim(s) {
	sub(/^[ \t]+/, "", s)
	sub(/[ \t]+$/, "", s)
	return s
}

function detail(text,    n, i, line) {
	n = split(text, line, "\n")
	for (i = 1; i <= n; i++)
		if (line[i] != "")
			print "|\t" oneline(line[i])
}

function fail(text, more) {
	print "fail\t" (suite == "" ? "guest" : suite) "\t" oneline(text)
	detail(more)
}

# Keep diagnostics: a test prints them before the result that they explain.
function remember(line) {
	if (line ~ /^[ \t]*$/)
		return
	diag[++ndiag] = line
}

# The last 15 diagnostics since the last result. A failed assertion is among the
# last ones.
function recent(    s, i) {
	s = ""
	for (i = (ndiag > 15 ? ndiag - 14 : 1); i <= ndiag; i++)
		s = s diag[i] "\n"
	return s
}

# A shell glob becomes an anchored regex. Brackets keep their meaning.
function globre(g,    i, c, r, in_set) {
	r = "^"
	in_set = 0
	for (i = 1; i <= length(g); i++) {
		c = substr(g, i, 1)
		if (in_set) {
			if (c == "]")
				in_set = 0
			r = r c
		} else if (c == "*") {
			r = r ".*"
		} else if (c == "?") {
			r = r "."
		} else if (c == "[" && index(substr(g, i + 1), "]")) {
			in_set = 1
			r = r c
			if (substr(g, i + 1, 1) == "!") {
				r = r "^"
				i++
			}
		} else if (c ~ /[A-Za-z0-9_\/ -]/) {
			r = r c
		} else if (c == "^" || c == "\\") {
			r = r "\\" c
		} else {
			r = r "[" c "]"
		}
	}
	return r "$"
}

function load_expected(    line, rc) {
	while ((rc = (getline line < expected)) > 0) {
		line = trim(line)
		if (line == "" || line ~ /^#/ || line in want)
			continue
		want[line] = 1
		order[++nwant] = line
	}
	close(expected)
	if (rc < 0)
		fail("the list of expected suites is missing")
	else if (!nwant)
		fail("the list of expected suites is empty")
}

function load_known(    line, rc, at, id) {
	while ((rc = (getline line < known)) > 0) {
		line = trim(line)
		if (line == "" || line ~ /^#/)
			continue
		# Two blanks or a tab end the name: KUnit parameters have
		# single blanks in theirs.
		at = match(line, /(\t|  )[ \t]*/)
		id = at ? substr(line, 1, at - 1) : line
		if (!at) {
			fail("known failure without a reason: " line)
			continue
		}
		if (id !~ /^[^:]+:./) {
			fail("known failure is not SUITE:CASE: " line)
			continue
		}
		nkn++
		kn_id[nkn] = id
		kn_suite[nkn] = substr(id, 1, index(id, ":") - 1)
		kn_re[nkn] = globre(substr(id, index(id, ":") + 1))
		kn_why[nkn] = trim(substr(line, at))
		kn_hit[nkn] = 0
	}
	close(known)
	if (rc < 0)
		fail("the list of known failures is missing")
}

# The index of the entry for this case, or 0. Entries for suites that are not
# expected are ignored, because all runs use the same list.
function known_entry(path,    i, found) {
	found = 0
	if (!(suite in want))
		return 0
	for (i = 1; i <= nkn; i++)
		if (kn_suite[i] == suite && path ~ kn_re[i]) {
			kn_hit[i]++
			if (!found)
				found = i
		}
	return found
}

function begin_suite(name) {
	suite = name
	seen[name] = 1
	depth = nleaf = ndiag = ntail = 0
	bailed = nameless = skipped_whole = 0
	why_skipped = ""
	split("", stat)
}

function push(indent) {
	depth++
	ind[depth] = indent
	plan[depth] = -1
	cnt[depth] = 0
	due[depth] = 1
	bad[depth] = 0
	sub_name[depth] = ""
	first_leaf[depth] = nleaf + 1
}

function where(    i, s) {
	s = ""
	for (i = 1; i <= depth; i++)
		if (sub_name[i] != "")
			s = s (s == "" ? "" : "/") sub_name[i]
	return s == "" ? "" : s ": "
}

function check_plan(    p) {
	p = plan[depth]
	# For parameters from a generator function, KUnit prints no plan but
	# a line with the totals after them.
	if (p < 0 && depth > 1 && (sub_name[depth] in stat))
		p = stat[sub_name[depth]]
	if (bailed || truncated)
		return
	if (p < 0 && depth == 1)
		fail("no plan line (1..N), so lost results would go unseen")
	else if (p >= 0 && p != cnt[depth])
		fail(where() "plan says " p " results, " cnt[depth] " came")
}

# End a block of subtests. The result of the parent, with its name, comes after
# theirs, so the name is added to their paths now.
function pop(name,    i) {
	for (i = first_leaf[depth]; i <= nleaf; i++)
		path[i] = name "/" path[i]
	depth--
}

# End a block of subtests whose parent has no result.
function pop_unsummarised() {
	check_plan()
	if (!bailed && !truncated)
		fail(where() "the subtests were never summarised by a result")
	pop(sub_name[depth] == "" ? "?" : sub_name[depth])
}

function result(indent, ok, num, text,    at, word, why, name, child, ccnt, cbad) {
	why = word = ""
	at = match(text, /(^| )# *([Ss][Kk][Ii][Pp]|XFAIL|XPASS|TODO|TIMEOUT|[Ee][Rr][Rr][Oo][Rr])/)
	if (at) {
		why = substr(text, at)
		name = substr(text, 1, at - 1)
		sub(/^ ?# */, "", why)
		word = toupper(why)
		sub(/[^A-Z].*/, "", word)
		sub(/^[A-Za-z]+:?/, "", why)
	} else {
		name = text
		at = index(name, " # ")
		if (at) {
			why = substr(name, at + 3)
			name = substr(name, 1, at - 1)
		}
	}
	why = trim(why)
	sub(/^- /, "", name)
	name = trim(name)
	if (name == "" || name == "-")
		name = num

	child = 0
	while (depth && ind[depth] > indent) {
		if (depth > 1 && ind[depth - 1] > indent) {
			pop_unsummarised()
			continue
		}
		child = 1
		ccnt = cnt[depth]
		cbad = bad[depth]
		if (sub_name[depth] == "")
			sub_name[depth] = name
		check_plan()
		if (plan[depth] == 0 && skipped[depth] != "" && why == "")
			why = skipped[depth]
		pop(name)
	}
	if (!depth || ind[depth] < indent)
		push(indent)

	if (num != due[depth])
		fail(where() "result \"" name "\" has number " num \
		     " where " due[depth] " was due")
	due[depth] = num + 1
	cnt[depth]++
	if (!ok)
		bad[depth]++

	if (child && ccnt) {
		if (ok && cbad)
			fail(where() name " is summarised as ok though " cbad \
			     " of its subtests failed", recent())
		else if (!ok && !cbad)
			leaf(name, "fail", "failed as a whole, though each" \
			     " of its subtests passed")
	} else if (!ok) {
		leaf(name, "fail", word != "" && word != "ERROR" ? \
		     word " " why : why)
	} else if (word ~ /^SKIP/) {
		# The harness writes "unknown" where the test gave no reason.
		leaf(name, "skip", why == "unknown" ? "" : why)
	} else if (word == "XPASS") {
		leaf(name, "fail", "XPASS: it passes now, so the test should" \
		     " no longer expect it to fail")
	} else if (word == "XFAIL" || word == "TODO") {
		leaf(name, "skip", word ": " (why == "" || why == "unknown" ? \
		     "the test itself expects to fail" : why))
	} else {
		leaf(name, "pass", "")
	}
	ndiag = 0
}

function leaf(name, res, why) {
	nleaf++
	path[nleaf] = name
	res_of[nleaf] = res
	why_of[nleaf] = why
	diag_of[nleaf] = res == "fail" ? recent() : ""
}

function end_suite(status, seconds,    i, k, failing, reasons) {
	while (depth > 1)
		pop_unsummarised()
	if (depth)
		check_plan()
	else if (!bailed && !truncated)
		fail("no plan line: nothing of TAP came at all", recent())

	print "suite\t" suite "\t" seconds
	failing = bailed + nameless
	reasons = 0
	for (i = 1; i <= nleaf; i++) {
		k = known_entry(path[i])
		if (res_of[i] == "fail") {
			failing++
			print "case\t" suite "\t" oneline(path[i]) "\t" \
			      (k ? "known\t" kn_why[k] : "fail\t" oneline(why_of[i]))
			detail(diag_of[i])
		} else if (res_of[i] == "skip" && why_of[i] == "") {
			failing++
			print "case\t" suite "\t" oneline(path[i]) \
			      "\tfail\tSKIP without a reason"
		} else if (res_of[i] == "skip" && noskip != "" && suite ~ noskip) {
			failing++
			print "case\t" suite "\t" oneline(path[i]) \
			      "\tfail\tskipped (" oneline(why_of[i]) \
			      "), which this suite must not do here"
		} else {
			reasons += (res_of[i] == "skip")
			print "case\t" suite "\t" oneline(path[i]) "\t" \
			      res_of[i] "\t" oneline(why_of[i])
		}
		if (k && res_of[i] == "pass")
			fail(kn_id[k] " passes now: remove it from " known \
			     " (" path[i] ")")
	}
	if (skipped_whole && !nleaf && noskip != "" && suite ~ noskip) {
		fail("skipped as a whole (" why_skipped \
		     "), which this suite must not do here")
	} else if (skipped_whole && !nleaf) {
		if (why_skipped == "") {
			fail("the whole suite is a SKIP without a reason")
			failing++
		} else {
			print "case\t" suite "\t(whole suite)\tskip\t" \
			      oneline(why_skipped)
			reasons++
			for (i = 1; i <= nkn; i++)
				if (kn_suite[i] == suite)
					kn_hit[i]++
		}
	} else if (!nleaf && !bailed && !truncated) {
		fail("no test case ran", recent())
	}

	if (status >= 124) {
		if (status > 128)
			k = " (signal " (status - 128) ")"
		else if (status == 124)
			k = " (timeout)"
		else
			k = " (could not be run)"
		fail("ended with status " status k, recent())
	} else if (status == 4 && !failing && !reasons) {
		fail("ended with status 4 (skip), and TAP gives no reason",
		     recent())
	} else if (status != 0 && status != 4 && !failing) {
		fail("ended with status " status " though no case failed",
		     recent())
	}
	suite = ""
}

function cut_short(    i, s) {
	truncated = 1
	s = ""
	for (i = (ntail > 15 ? ntail - 14 : 1); i <= ntail; i++)
		s = s tail[i] "\n"
	fail("began and never ended" (depth ? " (" cnt[1] \
	     (plan[1] < 0 ? "" : " of " plan[1]) " results came)" : ""), s)
	end_suite(0, "")
	truncated = 0
}

BEGIN {
	suite = ""
	nwant = nkn = done = truncated = 0
	load_expected()
	load_known()
}

done && !/^[ \t]*$/ && !after_done {
	fail("something came after @@ done: " $0)
	after_done = 1
}

/^@@ begin / {
	if (suite != "")
		cut_short()
	name = trim(substr($0, 10))
	if (name in seen)
		fail("suite " name " reported twice")
	if (!(name in want))
		print "note\t" oneline(name) " reported though nobody expected it"
	begin_suite(name)
	next
}

/^@@ end / {
	if (suite == "") {
		fail("an end without a begin: " $0)
		next
	}
	if ($0 !~ /^@@ end .+ status=[0-9]+ seconds=[0-9]+[.]?[0-9]*[ \t]*$/) {
		fail("an end line that cannot be read: " $0)
		cut_short()
		next
	}
	at = match($0, / status=[0-9]+ seconds=/)
	name = trim(substr($0, 8, at - 8))
	if (name != suite) {
		fail("suite " suite " was ended as " name)
		cut_short()
		next
	}
	rest = substr($0, at + 8)
	secs = rest
	sub(/.*seconds=/, "", secs)
	end_suite(rest + 0, trim(secs))
	next
}

/^@@ done[ \t]*$/ {
	if (suite != "")
		cut_short()
	done = 1
	next
}

# Outside of a suite, all but results is ignored.
suite == "" {
	if ($0 ~ /^ *(not )?ok [0-9]/ || $0 ~ /^ *not ok/ || $0 ~ /^Bail out!/)
		fail("a result outside of any suite: " $0)
	next
}

{
	tail[++ntail] = $0
	match($0, /^ */)
	indent = RLENGTH
	text = substr($0, indent + 1)
}

text ~ /^K?TAP version [0-9]+[ \t]*$/ {
	while (depth > 1 && ind[depth] > indent)
		pop_unsummarised()
	if (!depth || ind[depth] < indent)
		push(indent)
	next
}

text ~ /^# Subtest: / && indent {
	name = trim(substr(text, 12))
	while (depth > 1 && ind[depth] > indent)
		pop_unsummarised()
	if (depth > 1 && ind[depth] == indent && sub_name[depth] != "")
		pop_unsummarised()
	if (!depth || ind[depth] < indent)
		push(indent)
	sub_name[depth] = name
	next
}

text ~ /^1\.\.[0-9]+([ \t]*(#.*)?)$/ {
	while (depth > 1 && ind[depth] > indent)
		pop_unsummarised()
	if (!depth || ind[depth] < indent)
		push(indent)
	if (plan[depth] >= 0)
		fail(where() "a second plan line: " text)
	plan[depth] = substr(text, 4) + 0
	skipped[depth] = ""
	if (match(text, /# *[Ss][Kk][Ii][Pp][A-Za-z]*:?/)) {
		skipped[depth] = trim(substr(text, RSTART + RLENGTH))
		if (depth == 1 && plan[depth] == 0) {
			skipped_whole = 1
			why_skipped = skipped[depth]
		}
	}
	next
}

text ~ /^(not )?ok [0-9]+([ \t]|$)/ {
	ok = text !~ /^not/
	sub(/^(not )?ok /, "", text)
	num = text
	sub(/[ \t].*/, "", num)
	sub(/^[0-9]+[ \t]*/, "", text)
	result(indent, ok, num + 0, text)
	next
}

# "ok" without a number may be prose. "not ok" is a failure even then.
text ~ /^not ok([ \t]|$)/ {
	fail("a result without a number: " text, recent())
	nameless++
	next
}

text ~ /^Bail out!/ {
	fail(text, recent())
	bailed = 1
	next
}

text ~ /^# .*: pass:[0-9]+ fail:[0-9]+ skip:[0-9]+ total:[0-9]+[ \t]*$/ {
	name = substr(text, 3)
	total = name
	sub(/: pass:.*/, "", name)
	sub(/.*total:/, "", total)
	stat[name] = total + 0
	next
}

# Lines of the kselftest harness that only repeat results
text ~ /^#  *(RUN|OK|FAIL)  / || text ~ /^# Totals: / {
	next
}

{
	remember($0)
}

END {
	if (suite != "")
		cut_short()
	for (i = 1; i <= nwant; i++)
		if (!(order[i] in seen)) {
			suite = order[i]
			fail("was expected and never began")
		}
	for (i = 1; i <= nkn; i++)
		if ((kn_suite[i] in want) && !kn_hit[i]) {
			suite = kn_suite[i]
			fail(kn_id[i] " did not report, but is listed in " known)
		}
	suite = ""
	if (!done)
		fail("the guest never said @@ done")
}
