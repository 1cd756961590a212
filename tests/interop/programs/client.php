<?php
// A client on GearmanClient: see README.md for what it is asked and what it prints.

[, $host, $port, $command] = $argv;
$option = [];
foreach (array_slice($argv, 4) as $word) {
    [$name, $value] = explode('=', $word, 2);
    $option[$name] = $value;
}

function say(string $kind, string $data): void
{
    fwrite(STDOUT, $kind . ' ' . bin2hex($data) . "\n");
}

function listen(GearmanClient $client): void
{
    $client->setCreatedCallback(fn ($task) => say('created', $task->jobHandle()));
    $client->setDataCallback(fn ($task) => say('data', $task->data()));
    $client->setWarningCallback(fn ($task) => say('warning', $task->data()));
    $client->setStatusCallback(
        fn ($task) => say('status', $task->taskNumerator() . '/' . $task->taskDenominator())
    );
    $client->setCompleteCallback(fn ($task) => say('complete', $task->data()));
    $client->setExceptionCallback(fn ($task) => say('exception', $task->data()));
    $client->setFailCallback(fn ($task) => say('fail', ''));
}

$client = new GearmanClient();
$client->addServer($host, (int) $port);
if (isset($option['timeout'])) {
    $client->setTimeout((int) $option['timeout']);
}
if (isset($option['exceptions'])) {
    $client->enableExceptionHandler();
}
$precedence = ucfirst($option['precedence'] ?? '');
$unique = $option['unique'] ?? null;

$commands = [
    'run' => function () use ($client, $option, $precedence, $unique) {
        listen($client);
        $method = "addTask$precedence" . (isset($option['background']) ? 'Background' : '');
        $client->$method($option['function'], stream_get_contents(STDIN), null, $unique);
        @$client->runTasks();
    },
    'do' => function () use ($client, $option, $precedence, $unique) {
        $method = 'do' . ($precedence ?: 'Normal');
        $workload = stream_get_contents(STDIN);
        do {
            $data = @$client->$method($option['function'], $workload, $unique);
            $code = $client->returnCode();
            switch ($code) {
                case GEARMAN_WORK_DATA:
                    say('data', $data);
                    break;
                case GEARMAN_WORK_WARNING:
                    say('warning', $data);
                    break;
                case GEARMAN_WORK_STATUS:
                    say('status', implode('/', $client->doStatus()));
                    break;
                case GEARMAN_WORK_FAIL:
                    say('fail', '');
                    break;
                case GEARMAN_WORK_EXCEPTION:
                    say('exception', (string) $data);
                    break;
                case GEARMAN_SUCCESS:
                    say('complete', $data);
                    break;
            }
        } while (in_array($code, [GEARMAN_WORK_DATA, GEARMAN_WORK_WARNING, GEARMAN_WORK_STATUS]));
    },
    'background' => function () use ($client, $option, $precedence, $unique) {
        $method = "do{$precedence}Background";
        say('created', $client->$method($option['function'], stream_get_contents(STDIN), $unique));
    },
    'many' => function () use ($client, $option) {
        $client->setCompleteCallback(fn ($task) => say('complete', $task->data()));
        for ($number = 0; $number < (int) $option['count']; $number++) {
            $client->addTask($option['function'], "job $number");
        }
        $client->runTasks();
    },
    'state' => function () use ($client, $option) {
        say('state', implode(' ', array_map('intval', $client->jobStatus($option['handle']))));
    },
    'unique-state' => function () use ($client, $option) {
        $state = $client->jobStatusByUniqueKey($option['unique']);
        say('state', implode(' ', array_map('intval', array_slice($state, 0, 4))));
    },
    'echo' => function () use ($client) {
        $workload = stream_get_contents(STDIN);
        if ($client->ping($workload)) {
            say('echo', $workload);
        }
    },
];

$commands[$command]();
if ($client->returnCode() === GEARMAN_TIMEOUT) {
    say('error', 'timeout');
}
