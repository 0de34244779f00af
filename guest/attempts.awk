# SPDX-License-Identifier: GPL-2.0-only
#
# The lines "# attempt: WHAT | EXPORTER | RESULT" of a tap.log as a table,
# a row an attempt, a column an exporter, both in the order of appearance.

/^# attempt: / {
	sub(/\r$/, "")
	sub(/^# attempt: /, "")
	n = split($0, f, / \| /)
	if (n != 3)
		next
	if (!(f[1] in row)) { row[f[1]] = ++rows; what[rows] = f[1] }
	if (!(f[2] in col)) { col[f[2]] = ++cols; exporter[cols] = f[2] }
	cell[f[1], f[2]] = f[3]
	if (length(f[1]) > w0)
		w0 = length(f[1])
}

END {
	if (!rows) {
		print "no attempt was reported"
		exit 1
	}
	for (c = 1; c <= cols; c++) {
		w[c] = length(exporter[c])
		for (r = 1; r <= rows; r++) {
			k = what[r] SUBSEP exporter[c]
			if (k in cell && length(cell[k]) > w[c])
				w[c] = length(cell[k])
		}
	}
	printf "\n%-*s", w0, "attempt on a mapping of"
	for (c = 1; c <= cols; c++)
		printf "  %-*s", w[c], exporter[c]
	print ""
	for (r = 1; r <= rows; r++) {
		printf "%-*s", w0, what[r]
		for (c = 1; c <= cols; c++) {
			k = what[r] SUBSEP exporter[c]
			printf "  %-*s", w[c], (k in cell) ? cell[k] : "-"
		}
		print ""
	}
	print "- does not apply to this exporter, or failed and is listed below"
	print ""
}
