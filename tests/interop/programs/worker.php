<?php
// A worker on GearmanWorker: see README.md for the functions that it does.

[, $host, $port, $prefix] = $argv;

$functions = [
    'echo' => fn (GearmanJob $job) => $job->workload(),
    'reverse' => fn (GearmanJob $job) => strrev($job->workload()),
    'talk' => function (GearmanJob $job) {
        $job->sendStatus(1, 4);
        $job->sendData('one ');
        $job->sendWarning('two ');
        $job->sendStatus(3, 4);
        return 'three';
    },
    'fail' => function (GearmanJob $job) {
        $job->sendFail();
    },
    'raise' => function (GearmanJob $job) {
        $job->sendException($job->workload());
    },
    'unique' => fn (GearmanJob $job) => $job->unique(),
    'hang' => function (GearmanJob $job) {
        $job->sendData('here');
        sleep(1000);
    },
    'late' => function (GearmanJob $job) {
        $job->sendData('here');
        usleep(1500 * 1000);
        return 'too late';
    },
];
$timeouts = ['late' => 1000];

$worker = new GearmanWorker();
$worker->addOptions(GEARMAN_WORKER_GRAB_UNIQ);
$worker->addServer($host, (int) $port);
$worker->setId($prefix);
foreach ($functions as $name => $function) {
    $worker->addFunction($prefix . $name, $function, null, $timeouts[$name] ?? 0);
}
while (true) {
    if (!@$worker->work()) {
        usleep(50 * 1000);  // the server is gone: it may come back
    }
}
