# SPDX-License-Identifier: GPL-2.0-only
#
# Turn the records of tap.awk, splats.awk and guest/verdict/verdict into a summary
# for people, with the totals as its last line, and a JUnit file for machines.
#
# -v junit=FILE		where the XML goes
# -v runs=N		number of guest runs; with more than one, each line
#			shows the label of its run
# stdin			the records; "run LABEL" begins those of one run
#
# Exit status 0 if nothing failed and something passed.

function xml(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	gsub(/>/, "\\&gt;", s)
	gsub(/"/, "\\&quot;", s)
	gsub(/[^\n\t -~]/, "", s)
	return s
}

function label(name) {
	return runs > 1 ? run ": " name : name
}

# The number of a suite's row in the table, a new one for a new suite.
function row(name) {
	name = label(name)
	if (!(name in row_of)) {
		row_of[name] = ++nrow
		row_name[nrow] = name
		secs[nrow] = ""
		npass[nrow] = nfail[nrow] = nskip[nrow] = nknown[nrow] = 0
	}
	return row_of[name]
}

function item(r, kind, title, why) {
	n++
	it_row[n] = r
	it_kind[n] = kind
	it_title[n] = title
	it_why[n] = why
	it_more[n] = ""
	if (kind == "pass")
		npass[r]++
	else if (kind == "skip")
		nskip[r]++
	else if (kind == "known")
		nknown[r]++
	else if (kind != "excused")
		nfail[r]++
}

function show(i) {
	if (it_more[i] != "")
		printf "%s", it_more[i]
}

# SUITE:CASE, or SUITE: TEXT for a problem that has no case.
function id(i) {
	return row_name[it_row[i]] (it_kind[i] == "problem" ? ": " : ":") it_title[i]
}

function testcase(i,    k) {
	k = it_kind[i]
	if (k == "excused")
		return
	printf "    <testcase classname=\"%s\" name=\"%s\"", \
	       xml(row_name[it_row[i]]), xml(it_title[i]) > junit
	if (k == "pass") {
		print "/>" > junit
	} else if (k == "skip" || k == "known") {
		printf ">\n      <skipped message=\"%s%s\"/>\n    </testcase>\n", \
		       (k == "known" ? "known failure: " : ""), xml(it_why[i]) > junit
	} else {
		printf ">\n      <failure message=\"%s\">%s</failure>\n    </testcase>\n", \
		       xml((it_why[i] == "" ? it_title[i] : it_why[i])), \
		       xml(it_more[i]) > junit
	}
}

function write_junit(    r, i) {
	print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>" > junit
	printf "<testsuites tests=\"%d\" failures=\"%d\" skipped=\"%d\">\n", \
	       passed + failed + skipped, failed, skipped > junit
	for (r = 1; r <= nrow; r++) {
		printf "  <testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" skipped=\"%d\" time=\"%s\">\n", \
		       xml(row_name[r]), \
		       npass[r] + nfail[r] + nskip[r] + nknown[r], nfail[r], \
		       nskip[r] + nknown[r], (secs[r] == "" ? 0 : secs[r]) > junit
		for (i = 1; i <= n; i++)
			if (it_row[i] == r)
				testcase(i)
		print "  </testsuite>" > junit
	}
	print "</testsuites>" > junit
	close(junit)
}

# Print a heading before its first item only.
function section(title) {
	if (!titled_already) {
		print "\n" title
		titled_already = 1
	}
}

BEGIN {
	FS = "\t"
	n = nrow = nnote = 0
}

$1 == "run" { run = $2; next }
$1 == "suite" { secs[row($2)] = $3; next }
$1 == "case" { item(row($2), $4, $3, $5); next }
$1 == "fail" { item(row($2), "problem", $3, ""); next }
$1 == "splat" { item(row("guest"), "splat", $2, ""); next }
$1 == "excused" { item(row("guest"), "excused", $2, $3); next }
$1 == "note" { note[++nnote] = label($2); next }
$1 == "|" {
	if (n)
		it_more[n] = it_more[n] "    " substr($0, 3) "\n"
	next
}
# An unknown record may be a result, so it must not get lost.
{
	item(row("guest"), "problem", "a record that cannot be read: " $0, "")
}

END {
	passed = 0
	for (r = 1; r <= nrow; r++)
		passed += npass[r]
	failed = 0
	for (r = 1; r <= nrow; r++)
		failed += nfail[r]
	if (!passed && !failed) {
		run = "all"
		item(row("guest"), "problem", "nothing passed, so nothing was shown", "")
	}

	width = length("suite")
	for (r = 1; r <= nrow; r++)
		if (length(row_name[r]) > width)
			width = length(row_name[r])
	head = "%-" width "s  %6s %6s %7s %5s %8s\n"
	printf head, "suite", "passed", "failed", "skipped", "known", "seconds"
	passed = failed = skipped = 0
	for (r = 1; r <= nrow; r++) {
		passed += npass[r]
		failed += nfail[r]
		skipped += nskip[r] + nknown[r]
		if (npass[r] + nfail[r] + nskip[r] + nknown[r] || secs[r] != "")
			printf head, row_name[r], npass[r], nfail[r], nskip[r], \
			       nknown[r], (secs[r] == "" ? "-" : secs[r])
	}

	titled_already = 0
	for (i = 1; i <= n; i++)
		if (it_kind[i] == "fail" || it_kind[i] == "problem") {
			section("Failures:")
			print "  " id(i) (it_why[i] == "" ? "" : "  (" it_why[i] ")")
			show(i)
		}
	titled_already = 0
	for (i = 1; i <= n; i++)
		if (it_kind[i] == "skip" || it_kind[i] == "known") {
			section("Skipped, or known to fail:")
			print "  " (it_kind[i] == "known" ? "known" : "skip ") \
			      "  " id(i) "  " it_why[i]
		}
	titled_already = 0
	for (i = 1; i <= n; i++)
		if (it_kind[i] == "excused") {
			section("Splats that are excused:")
			print "  " row_name[it_row[i]] ": " it_title[i] "  (" it_why[i] ")"
		}
	titled_already = 0
	for (i = 1; i <= n; i++)
		if (it_kind[i] == "splat") {
			section("Splats:")
			print "  " row_name[it_row[i]] ": " it_title[i]
			show(i)
		}
	titled_already = 0
	for (i = 1; i <= nnote; i++) {
		section("Notes:")
		print "  " note[i]
	}

	write_junit()
	print ""
	print passed " passed, " failed " failed" (skipped ? ", " skipped " skipped" : "")
	exit (failed || !passed)
}
