# dbi.pl DSN SQL: prepares SQL by DBI, and runs it after another statement.
use strict;
use warnings;
use DBI;

my ($dsn, $user, $sql) = @ARGV;
my $db = DBI->connect($dsn, $user, '', { PrintError => 0, RaiseError => 1 });
eval {
	my $later = $db->prepare($sql, $dsn =~ /^dbi:Pg/ ? { pg_prepare_now => 1, pg_server_prepare => 1 } : {});
	die "another answer\n" unless $db->selectrow_array('select 40 + 2') == 42;
	$later->execute();
	print "done\n";
	1;
} or do {
	print "error: $@";
	exit 1;
};
