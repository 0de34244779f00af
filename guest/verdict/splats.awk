# SPDX-License-Identifier: GPL-2.0-only
#
# Scan a whole console for splats.
#
# -v deny=FILE		regexes of splats.deny
# -v allow=FILE		regexes and reasons of splats.allow
# stdin			the cleaned console.log (no CRs, no control characters)
#
# Writes records for report.awk, tab-separated:
#	splat TITLE
#	excused TITLE REASON
#	fail guest TEXT
#	| TEXT			a line of detail, belongs to the record before
#
# Runs in any POSIX awk: no {n,m}, no gensub(), no arrays of arrays.

function oneline(s) {
	gsub(/\t/, " ", s)
	return s
}

function fail(text) {
	print "fail\tguest\t" oneline(text)
}

# Some awks silently take {n} and \w for plain text. The regex would then never
# match.
function portable(re, from) {
	if (re ~ /\{[0-9]/ || re ~ /\\[A-Za-z<>]/) {
		fail(from ": only plain POSIX without {n}, write it out: " re)
		return 0
	}
	return 1
}

function load_deny(    line, rc) {
	while ((rc = (getline line < deny)) > 0) {
		if (line ~ /^[ \t]*(#|$)/ || !portable(line, "splats.deny"))
			continue
		re[++nre] = line
	}
	close(deny)
	if (rc < 0)
		fail("the deny list is missing: the console cannot be scanned")
	else if (!nre)
		fail("the deny list is empty: the console cannot be scanned")
}

function load_allow(    line, rc, at, why) {
	while ((rc = (getline line < allow)) > 0) {
		if (line ~ /^[ \t]*(#|$)/)
			continue
		at = index(line, "\t")
		why = at ? substr(line, at + 1) : ""
		sub(/^[ \t]+/, "", why)
		if (why == "") {
			fail("allow list entry without a reason: " line)
			continue
		}
		if (!portable(substr(line, 1, at - 1), "splats.allow"))
			continue
		ok_re[++nok] = substr(line, 1, at - 1)
		ok_why[nok] = why
	}
	close(allow)
	if (rc < 0)
		fail("the allow list is missing")
}

function denied(s,    i) {
	for (i = 1; i <= nre; i++)
		if (s ~ re[i])
			return 1
	return 0
}

# The first line of a separate report. "Oops:" and "refcount_t:" are not: these
# lines are within another report.
function begins_report(s) {
	return s ~ /^(watchdog: |rcu: |usercopy: )?(\[ )?(WARNING|BUG|INFO|PANIC)[: ]/ ||
	       s ~ /^kernel BUG at / || s ~ /^Kernel panic/ || s ~ /^UBSAN: /
}

# A line before a WARN or BUG that belongs to it: the trace is in the latter.
function prelude(s) {
	return s ~ /^BUG .*ainted.*: / || s ~ /^\[.* overwritten\] / ||
	       s ~ /^list_(add|del) / || s ~ /^page dumped because: / ||
	       s ~ /^usercopy: /
}

# A report that goes on after a trace: a stall has a trace for each CPU, an oops
# ends with its registers.
function goes_on(s) {
	return s ~ /stall|lockup|LOCKUP|starved/ ||
	       s ~ /^BUG: (kernel NULL|unable)|^Oops|^Unable/
}

# The most lines of a report. It is low for a report without a line that marks its
# end, so that the report doesn't take in the next one.
function limit() {
	if (cut || prelude(title) || goes_on(title) || title ~ /^BUG: K/)
		return 300
	return 60
}

function announce(s, lineno,    spec, n, r) {
	spec = s
	sub(/.*splat-expected:[ \t]*/, "", spec)
	n = spec
	sub(/[ \t].*/, "", n)
	r = spec
	sub(/^[^ \t]+[ \t]*/, "", r)
	if (n !~ /^[1-9][0-9]*$/ || r == "" || r == spec) {
		fail("not \"splat-expected: N REGEX\": " s)
		return
	}
	if (!portable(r, "splat-expected"))
		return
	nexp++
	exp_left[nexp] = exp_n[nexp] = n + 0
	exp_re[nexp] = r
	exp_line[nexp] = lineno
}

# The first eight lines of a WARN have its message, file and function. On x86 the
# RIP line is the last of these.
function head_matches(r,    i) {
	for (i = 1; i <= nblk && i <= 8; i++)
		if (blk[i] ~ r)
			return 1
	return 0
}

function finish(    i, e) {
	if (!open)
		return
	open = 0
	if (title == "")
		title = nblk > 1 ? blk[2] : blk[1]
	for (e = 1; e <= nexp; e++)
		if (exp_left[e] && exp_line[e] < start && head_matches(exp_re[e])) {
			exp_left[e]--
			print "excused\t" oneline(title) "\texpected: " \
			      oneline(exp_re[e])
			return
		}
	for (i = 1; i <= nok; i++)
		if (title ~ ok_re[i]) {
			print "excused\t" oneline(title) "\tallowed: " \
			      oneline(ok_why[i])
			return
		}
	print "splat\t" oneline(title)
	for (i = 1; i <= nblk && i <= 40; i++)
		print "|\t" oneline(raw_blk[i])
	if (nblk > 40)
		print "|\t(" (nblk - 40) " more lines in console.log)"
}

function start_block(lineno, how) {
	finish()
	open = 1
	cut = how
	title = ""
	titled = 0
	nblk = 0
	start = lineno
}

function add(s, whole) {
	blk[++nblk] = s
	raw_blk[nblk] = whole
}

BEGIN {
	nre = nok = nexp = nlines = stamped_lines = open = 0
	load_deny()
	load_allow()
}

{
	line[++nlines] = $0
}

END {
	# A console driver that is interrupted within a line writes this mark
	# and the whole line again. Drop the incomplete line.
	for (i = 2; i < nlines; i++)
		if (line[i] ~ /^[*][*] replaying previous printk message [*][*]/) {
			j = i - 1
			if (line[j] != "" && index(line[i + 1], line[j]) == 1)
				line[j] = ""
			line[i] = ""
		}

	for (i = 1; i <= nlines; i++) {
		s = line[i]
		at = 0
		# Output of userspace without a newline at its end may precede
		# the time stamp.
		if (match(s, /\[ *[0-9]+[.][0-9][0-9][0-9][0-9][0-9][0-9]\](\[ *[TC][0-9]+\])?( |$)/)) {
			at = RSTART
			stamped_lines++
			now = substr(s, at + 1) + 0
			s = substr(s, at + RLENGTH)
		} else if (s ~ /^[*][*] [0-9]+ printk messages dropped [*][*]/) {
			fail("the console lost messages, so it cannot be scanned whole: " s)
			continue
		}

		if (at && s ~ /splat-expected:/) {
			announce(s, i)
			continue
		}

		# A report is printed without a pause: two seconds end it.
		if (open && at && now > last + 2)
			finish()
		if (at)
			last = now

		if (s ~ /^-+\[ cut here \]-+/) {
			if (open && prelude(title) && !cut) {
				cut = 1
				titled = 0
				add(s, line[i])
				continue
			}
			start_block(i, 1)
			add(s, line[i])
			continue
		}

		if (denied(s)) {
			if (!open || (titled && begins_report(s)))
				start_block(i, 0)
			if (title == "")
				title = s
			if (begins_report(s))
				titled = 1
			add(s, line[i])
			continue
		}

		if (!open)
			continue
		add(s, line[i])
		if (s ~ /^---\[ end /)
			finish()
		else if (title ~ /^BUG: (KASAN|KCSAN|KMSAN|KFENCE)/) {
			if (s ~ /^==========/)
				finish()
		} else if (!cut && !prelude(title) && !goes_on(title) && s ~ /<\/TASK>/)
			finish()
		if (open && nblk >= limit())
			finish()
	}
	finish()

	if (!stamped_lines)
		fail("the console has no kernel line with a time stamp: it cannot be scanned")
	for (e = 1; e <= nexp; e++)
		if (exp_left[e])
			fail("announced but did not come: " exp_left[e] " of " \
			     exp_n[e] " splats matching " exp_re[e])
}
