# A client on Gearman::Client: see README.md for what it is asked and what it prints.

use strict;
use warnings;
use Gearman::Client;
use Gearman::Task;

$| = 1;
binmode STDIN;
my ($host, $port, $command, @words) = @ARGV;
my %option = map { split /=/, $_, 2 } @words;
my $server = {
    host => $host,
    port => $port,
    $option{key}
    ? (use_ssl => 1, key_file => $option{key}, cert_file => $option{cert}, ca_file => $option{ca})
    : ()
};
my $client = Gearman::Client->new(
    job_servers => [$server],
    exceptions  => $option{exceptions},
);

sub say_event {
    my ($kind, $data) = @_;
    print "$kind ", unpack("H*", $data), "\n";
}

# "host:port//handle" is how Gearman::Client writes a handle.
sub bare { (split m{//}, $_[0], 2)[1] }

sub read_workload { local $/; my $data = <STDIN>; defined $data ? $data : "" }

sub make_task {
    my ($workload) = @_;
    return Gearman::Task->new(
        $option{function},
        \$workload,
        {   uniq         => $option{unique},
            priority     => $option{precedence} || "normal",
            background   => $option{background},
            timeout      => $option{timeout} && $option{timeout} / 1000,
            on_data      => sub { say_event("data",      ${ $_[0] }) },
            on_warning   => sub { say_event("warning",   ${ $_[0] }) },
            on_status    => sub { say_event("status",    "$_[0]/$_[1]") },
            on_complete  => sub { say_event("complete",  ${ $_[0] }) },
            on_exception => sub { say_event("exception", $_[0]) },
            on_fail      => sub {
                my $reason = shift || "";
                say_event($reason =~ /elapsed timeout/ ? ("error", "timeout") : ("fail", ""));
            },
        }
    );
}

my %commands = (
    run => sub {
        my $tasks = $client->new_task_set;
        say_event("created", bare($tasks->add_task(make_task(read_workload()))));
        $tasks->wait(timeout => $option{timeout} && $option{timeout} / 1000);
    },
    do => sub { $client->do_task(make_task(read_workload())) },
    background => sub {
        say_event("created", bare($client->dispatch_background(make_task(read_workload()))));
    },
    many => sub {
        my $tasks = $client->new_task_set;
        $tasks->add_task(make_task("job $_")) for 0 .. $option{count} - 1;
        $tasks->wait;
    },
    state => sub {
        my $status = $client->get_status("$host:$port//$option{handle}");
        my ($numerator, $denominator) = @{ $status->progress };
        say_event("state", join " ", $status->known, $status->running, $numerator, $denominator);
    },
    queues => sub {
        my $functions = $client->get_job_server_status->{"$host:$port"};
        my $status    = $functions->{ $option{function} };
        say_event("queues", join " ", @$status{qw(queued running capable)});
    },
);

$commands{$command}->();
