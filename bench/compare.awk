# SPDX-License-Identifier: GPL-2.0-only
#
# Print the table of make bench, and judge it.
#
#	awk [-v results=FILE] [-v dearer=FILE] -f bench/compare.awk runs.tsv
#
# Each line of runs.tsv: base|series, 1|2, operation, exporter, bytes mapped and
# instructions, with tabs between; for an operation "... bytes", bytes of memory
# in the place of instructions. Of the two runs of a kernel the cheaper one counts.
# The file of results gets operation, exporter, bytes, base, series and ratio.
# The other one lists rows that are known to be dearer (bench/dearer).
#
# The status is 1 if a row
#	- is a regression: the series takes over 2 % more than the base, over 5 %
#	  for "map" rows and over 10 % for "attach" rows. Records of pins and
#	  mappings are on these two paths, which are cold, and are kept clear
#	  rather than fast. "run fault" rows have another function on the base,
#	  which makes one entry of a size that the driver has chosen: a run may
#	  cost 15 % more,
#	- is listed as dearer, and takes more than is listed, or no more than
#	  others may,
#	- is unstable: the two runs of a kernel are over 0.1 % apart,
#	  0.2 % for what vgem does with a large buffer,
#	- is missing from one of the four runs, or can't be read;
# or if there are none. Two instructions are never too many: the clock, which
# has been subtracted, isn't more exact.
#
# Where 0.1 % comes from: of 90 rows in eight boots of the base, on an idle and on
# a busy host, none was more than 0.02 % from any other, but for vgem's large ones,
# by up to 0.11 %. Its pages are allocated anew, and some lie side by side by chance.

BEGIN {
	FS = "\t"
	exact = 2		# instructions
	# where a cost of each page makes sense
	per_page = "^(total|mmap|touch|unmap|(attach|map) large|describe|iommufd( memfd)?)$"
	bytes = " bytes$"	# of memory, and no instructions: 0 is possible
	read_dearer()
}

function read_dearer(	line, f)
{
	while (dearer != "" && (getline line <dearer) > 0) {
		if (line ~ /^(#|$)/)
			continue
		if (split(line, f, FS) != 5 || f[4] !~ /^[0-9]+$/)
			complain(dearer ": can't be read: " line)
		else
			listed[f[1] FS f[2] FS f[3]] = f[4]
	}
}

# How much more a row may cost, in %
function limit(operation)
{
	if (operation ~ /^run /)
		return 15
	return operation ~ /^attach / ? 10 : operation ~ /^map / ? 5 : 2
}

# How far the two runs of a kernel may be apart, in %
function unstable(row)
{
	return row ~ / large\tvgem\t/ ? 0.2 : 0.1
}

function complain(text)
{
	complaint[++complaints] = text
}

function name(row,	f)
{
	split(row, f, FS)
	return f[1] ", " f[2] ", " size(f[3])
}

function size(bytes)
{
	return bytes % 1048576 ? bytes / 1024 " KiB" : bytes / 1048576 " MiB"
}

/^$/ { next }

NF != 6 || $1 !~ /^(base|series)$/ || $2 !~ /^[12]$/ || $5 !~ /^[0-9]+$/ ||
$6 !~ ($3 ~ bytes ? "^[0-9]+$" : "^[1-9][0-9]*$") {
	complain("line " NR " can't be read: " $0)
	next
}

{
	row = $3 FS $4 FS $5
	if (!(row in known)) {
		known[row] = 1
		order[++rows] = row
	}
	if (($1, $2, row) in cost)
		complain(name(row) ": twice in run " $2 " of the " $1)
	cost[$1, $2, row] = $6
}

# The cheaper run; notes how far the other one is from it.
function cheaper(kernel, row,	a, b, t, missing)
{
	for (t = 1; t <= 2; t++)
		if (!((kernel, t, row) in cost)) {
			complain(name(row) ": missing from run " t " of the " kernel)
			missing = 1
		}
	if (missing)
		return -1
	a = cost[kernel, 1, row] + 0
	b = cost[kernel, 2, row] + 0
	if (b < a) {
		t = a; a = b; b = t
	}
	if (b - a > exact && (b - a) * 100 > a * unstable(row))
		complain(sprintf("%s: unstable, %d and %d in two runs of the %s",
				 name(row), a, b, kernel))
	if (a && (b - a) / a >= apart[kernel]) {
		apart[kernel] = (b - a) / a
		furthest[kernel] = name(row)
	}
	same[kernel] += a == b
	return a
}

END {
	if (!rows)
		complain("no results")
	else
		printf "%-16s%-14s%8s%12s%12s%8s%16s\n", "operation", "exporter",
		       "size", "base", "series", "ratio", "a page"
	if (results != "")
		printf "operation\texporter\tbytes\tbase\tseries\tratio\n" >results
	for (i = 1; i <= rows; i++) {
		row = order[i]
		split(row, f, FS)
		base = cheaper("base", row)
		series = cheaper("series", row)
		if (base < 0 || series < 0)
			continue

		mark = ""
		most = limit(f[1])
		over = series - base > exact &&
		       (series - base) * 100 > base * most
		if (row in listed) {
			if (!over)
				complain(name(row) ": isn't dearer, take it out of " dearer)
			most = listed[row]
		}
		if (over && (series - base) * 100 <= base * most) {
			mark = "  dearer"
			known_dearer++
		} else if (over) {
			mark = "  regression"
			complain(sprintf("%s: regression, %d and not %d %s (+%.2f %%, limit %d %%)",
					 name(row), series, base,
					 f[1] ~ bytes ? "bytes" : "instructions",
					 base ? 100 * (series - base) / base : 100,
					 most))
		}
		pages = ""
		if (f[1] ~ per_page && f[3] >= 1048576)
			pages = sprintf("%.1f %7.1f", base * 4096 / f[3],
					series * 4096 / f[3])
		if (f[2] != last)
			print ""
		last = f[2]
		ratio = base ? series / base : 1
		line = sprintf("%-16s%-14s%8s%12d%12d%8.3f%16s%s", f[1], f[2],
			       size(f[3]), base, series, ratio, pages, mark)
		sub(/ +$/, "", line)
		print line
		if (results != "")
			printf "%s\t%s\t%s\t%d\t%d\t%.4f\n", f[1], f[2], f[3],
			       base, series, ratio >results
	}
	if (rows) {
		print "\nA row may cost 2 % more than on the base, \"map\" 5 %, \"attach\" 10 %, \"run\" 15 %."
		print "Executed instructions, but for \"bytes\"; \"a page\" is base and series. Two boots of each kernel:"
		for (i = 1; i <= 2; i++) {
			kernel = i == 1 ? "base" : "series"
			printf "%-8s%d of %d rows are the same", kernel ":",
			       same[kernel], rows
			if (apart[kernel] > 0)
				printf ", at most %.4f %% apart (%s)",
				       100 * apart[kernel], furthest[kernel]
			print ""
		}
	}
	if (known_dearer)
		printf "%d rows cost more than that, see %s.\n", known_dearer, dearer
	fflush()
	for (row in listed)
		if (!(row in known))
			complain(name(row) ": listed in " dearer ", and there is no such row")
	for (i = 1; i <= complaints; i++)
		print "error: bench: " complaint[i] >"/dev/stderr"
	exit complaints > 0
}
