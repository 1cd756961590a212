# A worker on Gearman::Worker: see README.md for the functions that it does.

use strict;
use warnings;
use Gearman::Worker;
use Time::HiRes ();

my ($host, $port, $prefix, $key, $cert, $ca) = @ARGV;
my $server = {
    host => $host,
    port => $port,
    $key ? (use_ssl => 1, key_file => $key, cert_file => $cert, ca_file => $ca) : ()
};
my $worker = Gearman::Worker->new(job_servers => [$server], client_id => $prefix);

my %functions = (
    echo    => sub { $_[0]->arg },
    reverse => sub { scalar reverse $_[0]->arg },
    talk    => sub {
        my $job = shift;
        $job->set_status(1, 4);
        $worker->send_work_data($job, "one ");
        $worker->send_work_warning($job, "two ");
        $job->set_status(3, 4);
        return "three";
    },
    fail  => sub { undef },
    raise => sub { $worker->send_work_exception($_[0], $_[0]->arg); undef },
    die   => sub { die "dead\n" },
    nothing => sub { "" },
    hang  => sub { $worker->send_work_data($_[0], "here"); sleep; },
    late  => sub { $worker->send_work_data($_[0], "here"); Time::HiRes::sleep(1.5); "too late" },
);
my %timeouts = (late => 1000);

for my $name (sort keys %functions) {
    my @timeout = exists $timeouts{$name} ? $timeouts{$name} : ();
    $worker->register_function("$prefix$name", @timeout, $functions{$name});
}
$worker->work while 1;
