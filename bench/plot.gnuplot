# SPDX-License-Identifier: GPL-2.0-only
#
# Cost against size, a panel for each exporter.
#
#	gnuplot -e "results='results.tsv'; svg='cost.svg'" bench/plot.gnuplot

if (!exists("term")) term = "svg"
if (term eq "svg") {
	set terminal svg size 1050,640 font "sans-serif,13" background "#ffffff"
} else {
	set terminal pngcairo size 1050,640 font "sans-serif,11"
}
set output svg
set datafile separator "\t"
# What a panel leaves out must not interrupt its lines.
set datafile missing NaN

exporters = "udmabuf udmabuf_huge system_heap cma_heap vgem"
titles = "'udmabuf' 'udmabuf, hugetlb memfd' 'system heap' 'CMA heap' 'vgem'"

set logscale xy
set xrange [2*2**10:128*2**20]
set xtics ("4 KiB" 2**12, "64" 2**16, "1 MiB" 2**20, "16" 2**24, "64" 2**26)
set format y "10^{%T}"
set mytics 1
set border 3 lc rgb "#888888"
set tics nomirror scale 0.5 textcolor rgb "#444444"
set grid xtics ytics lc rgb "#e4e4e4" lt 1 lw 1
set style line 1 lc rgb "#9a9a9a" lw 2 pt 6 ps 1.2 dt (4,3)
set style line 2 lc rgb "#c44900" lw 2.5 pt 7 ps 0.6

y(exporter, n) = strcol(1) eq "total" && strcol(2) eq exporter ? column(n) : NaN

# One scale for all, or the panels can't be compared.
stats results using (strcol(1) eq "total" ? column(4) : NaN) skip 1 nooutput
low = STATS_min; high = STATS_max
stats results using (strcol(1) eq "total" ? column(5) : NaN) skip 1 nooutput
low = low < STATS_min ? low : STATS_min
high = high > STATS_max ? high : STATS_max
set yrange [low / 2:high * 2]

set multiplot layout 2,3 margins 0.065,0.985,0.075,0.875 spacing 0.06,0.14
set label 1 "mmap, touch each page, munmap: executed instructions" \
	at screen 0.015,0.96 font ",16"
do for [i = 1:words(titles)] {
	exporter = word(exporters, i)
	set title word(titles, i) offset 0,-0.5
	plot results skip 1 using 3:(y(exporter, 4)) with linespoints ls 1 notitle, \
	     results skip 1 using 3:(y(exporter, 5)) with linespoints ls 2 notitle
	unset label 1
}
# The sixth place has the key.
unset title
unset border
unset tics
unset grid
set key center center samplen 4 spacing 2 font ",15"
plot NaN with linespoints ls 1 title "Linux 7.3", \
     NaN with linespoints ls 2 title "with the series"
unset multiplot
