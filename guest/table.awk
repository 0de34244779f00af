# SPDX-License-Identifier: GPL-2.0-only
#
# The lines "# TAG: ROW | COLUMN | CELL" of a tap.log as a table, rows and
# columns in the order of appearance.
#
#	awk -v tag=TAG -v head='what the rows are' -f guest/table.awk tap.log

BEGIN { start = "# " tag ": " }

index($0, start) == 1 {
	sub(/\r$/, "")
	n = split(substr($0, length(start) + 1), f, / \| /)
	if (n != 3)
		next
	if (!(f[1] in row)) { row[f[1]] = ++rows; what[rows] = f[1] }
	if (!(f[2] in col)) { col[f[2]] = ++cols; name[cols] = f[2] }
	cell[f[1], f[2]] = f[3]
	if (length(f[1]) > w0)
		w0 = length(f[1])
}

END {
	if (!rows) {
		print "error: the guest reported nothing as \"" tag "\""
		exit 1
	}
	if (length(head) > w0)
		w0 = length(head)
	for (c = 1; c <= cols; c++) {
		w[c] = length(name[c])
		for (r = 1; r <= rows; r++) {
			k = what[r] SUBSEP name[c]
			if (k in cell && length(cell[k]) > w[c])
				w[c] = length(cell[k])
		}
	}
	printf "\n%-*s", w0, head
	for (c = 1; c <= cols; c++)
		printf "  %-*s", w[c], name[c]
	print ""
	for (r = 1; r <= rows; r++) {
		printf "%-*s", w0, what[r]
		for (c = 1; c <= cols; c++) {
			k = what[r] SUBSEP name[c]
			printf "  %-*s", w[c], (k in cell) ? cell[k] : "-"
		}
		print ""
	}
	print "- does not apply, or failed and is listed below"
}
