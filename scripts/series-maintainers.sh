# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Our MAINTAINERS holds our own entries; the base's holds everyone's.

# Print the file BASE with the entries of the file OWN at their sorted place.
merge_maintainers() {
	perl - "$1" "$2" <<'END'
use strict;
use warnings;

sub slurp { local (@ARGV, $/) = @_; return scalar <> }
sub title { return $_[0] =~ /^(.*)/ ? $1 : "" }
# The order is that of the kernel's own checker: case does not count, and
# THE REST is last.
sub key { my $t = uc title($_[0]); return $t eq "THE REST" ? "\xff" : $t }

# A section starts at a line that a "M:", "S:" ... line follows.
my ($intro, @sections) = split /^(?=(?![A-Z]:)\S.*\n[A-Z]:\s)/m, slurp($ARGV[0]);
my $own = slurp($ARGV[1]) =~ s/^#.*\n//mgr;

for my $entry (grep { /\S/ } split /\n{2,}/, $own) {
	$entry =~ s/^\n+|\n+$//g;
	my ($same) = grep { title($sections[$_]) eq title($entry) } 0 .. $#sections;
	if (defined $same) {
		my ($end) = $sections[$same] =~ /(\n*)\z/;
		$sections[$same] = $entry . $end;
		next;
	}
	# The base is not quite sorted. The right place is the one with the
	# fewest sections on the wrong side of it.
	my ($best, $best_at, $wrong) = (0, 0, 0);
	for my $i (0 .. $#sections) {
		$wrong += key($sections[$i]) gt key($entry) ? 1 : -1;
		($best, $best_at) = ($wrong, $i + 1) if $wrong < $best;
	}
	if ($best_at == @sections) {
		$sections[-1] .= "\n" if @sections;
		$entry .= "\n";
	} else {
		$entry .= "\n\n";
	}
	splice @sections, $best_at, 0, $entry;
}
print $intro, @sections;
END
}
