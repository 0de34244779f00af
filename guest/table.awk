# SPDX-License-Identifier: GPL-2.0-only
#
# Print the lines "# TAG: ROW | COLUMN | CELL" of a tap.log as a table, with rows
# and columns in the order of their first lines.
#
#	awk -v tag=TAG -v head='what the rows are' [-v merge=1] \
#		-f guest/table.awk tap.log
#
# With merge, columns with equal cells in all rows become one, whose heading has
# all their names.

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

# The cell in row @r and column @c
function text(r, c,	k) {
	k = what[r] SUBSEP name[c]
	return (k in cell) ? cell[k] : "-"
}

# Columns with the same key are merged.
function key(c,	r, s) {
	if (!merge)
		return c
	for (r = 1; r <= rows; r++)
		s = s text(r, c) SUBSEP
	return s
}

END {
	if (!rows) {
		print "error: the guest reported nothing as \"" tag "\""
		exit 1
	}
	if (length(head) > w0)
		w0 = length(head)

	# A group of columns is printed as its first column, first[g], under up
	# to "lines" names.
	for (c = 1; c <= cols; c++) {
		s = key(c)
		if (!(s in group)) { group[s] = ++groups; first[groups] = c }
		g = group[s]
		title[g, ++names[g]] = name[c]
		if (names[g] > lines)
			lines = names[g]
		if (length(name[c]) > w[g])
			w[g] = length(name[c])
	}
	for (g = 1; g <= groups; g++)
		for (r = 1; r <= rows; r++)
			if (length(text(r, first[g])) > w[g])
				w[g] = length(text(r, first[g]))

	print ""
	for (l = 1; l <= lines; l++) {
		printf "%-*s", w0, l == 1 ? head : ""
		for (g = 1; g <= groups; g++)
			printf "  %-*s", w[g], title[g, l]
		print ""
	}
	for (r = 1; r <= rows; r++) {
		printf "%-*s", w0, what[r]
		for (g = 1; g <= groups; g++)
			printf "  %-*s", w[g], text(r, first[g])
		print ""
	}
	print "- does not apply, or failed and is listed below"
}
