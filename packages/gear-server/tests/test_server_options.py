"""The table of geard's options: types, limits, and what implies what."""

import pytest
from msgspec.structs import asdict

from gear_server import Server
from gear_server.geard.options import BY_KEY, OPTIONS, Options, settle
from gear_server.settings import ServerSettings
from gear_wire.errors import ConfigurationError
from gear_wire.option import Option, options_of


def test_defaults_are_values_of_their_types() -> None:
    assert (
        settle({name: option.program_default for name, option in OPTIONS.items()}, {}) == Options()
    )


def test_every_setting_of_a_server_is_an_option_or_fixed_in_geard() -> None:
    described = options_of(ServerSettings)
    assert tuple(described) == ServerSettings.__struct_fields__
    assert {name for name in described if name not in OPTIONS} == {
        "cancel_running",
        "tell_abandoned",
        "tell_cancelled",
    }
    assert Options().settings.cancel_running
    assert Options().settings.tell_cancelled
    for name, option in described.items():
        assert f"        {name}: {option.help[0].upper()}{option.help[1:]}" in str(
            ServerSettings.__doc__
        )


def test_a_server_combines_arguments_and_settings() -> None:
    settings = ServerSettings(port=1, host="127.0.0.1", max_line_size=100, job_retries=2)
    server = Server(0, settings=ServerSettings(**asdict(settings) | {"port": 0}))
    server.shutdown()
    assert server.port
    assert server.host == "127.0.0.1"
    with pytest.raises(OSError, match="cannot listen on 192"):
        Server(settings=settings, host="192.0.2.1")


def test_no_spelling_stands_for_two_options() -> None:
    spellings = [spelling for option in OPTIONS.values() for spelling in option.spellings]
    assert len(spellings) == len(set(spellings))
    assert {"-d", "-p", "--pidfile", "--listen-address", "--log-config"} <= set(spellings)
    assert {"-L", "-l", "-P", "-u", "-j", "-w", "-b", "-f"} <= set(spellings)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_complete(option: Option) -> None:
    assert option.name
    assert option.help
    assert isinstance(option.default, bool) is not bool(option.metavar)


@pytest.mark.parametrize(
    ("attribute", "text", "value"),
    [
        ("port", "4731", 4731),
        ("port", "0", 0),
        ("grace", "2.5", 2.5),
        ("job_retries", "-1", -1),
        ("job_retries", "255", 255),
        ("verbose", "debug", "DEBUG"),
        ("log_file", "null", "null"),
        ("log_file", "12", "12"),
        ("job_handle_prefix", "x" * 63, "x" * 63),
    ],
)
def test_text_becomes_a_value(attribute: str, text: str, value: object) -> None:
    converted = OPTIONS[attribute].from_text(text)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("attribute", "text", "message"),
    [
        ("port", "70000", "port must be a number from 0 to 65535 or the name of a service"),
        ("port", "nowhere", "port must be a number from 0 to 65535 or the name of a service"),
        ("backlog", "0", "backlog must be a whole number from 1 to 65535, not '0'"),
        ("backlog", "1.5", "backlog must be a whole number from 1 to 65535, not '1.5'"),
        ("worker_wakeup", "-1", "worker-wakeup must be a whole number of at least 0, not '-1'"),
        ("grace", "nan", "grace must be a number from 0 to 31536000, not 'nan'"),
        ("grace", "inf", "grace must be a number from 0 to 31536000, not 'inf'"),
        ("verbose", "loud", "verbose must be one of ALERT, CRITICAL, DEBUG, ERROR, FATAL"),
        ("log_file", "", "log-file must be a non-empty string, not ''"),
        ("job_handle_prefix", "x" * 64, "job-handle-prefix must be a string of 1 to 63 bytes"),
        ("job_handle_prefix", "a b", "job-handle-prefix must be a string of 1 to 63 bytes"),
        ("job_handle_prefix", "a\nb", "job-handle-prefix must be a string of 1 to 63 bytes"),
        ("max_packet_size", str(1 << 32), "max-packet-size must be a whole number from 1 to 42949"),
    ],
)
def test_wrong_text_is_told_what_is_right(attribute: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OPTIONS[attribute].from_text(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["-2", "256", "x", ""])
def test_job_retries_has_the_error_of_gearmand(text: str) -> None:
    expected = "job-retries must be -1 (no limit), 0 (no retries), or between 1 and 255"
    with pytest.raises(ConfigurationError) as caught:
        OPTIONS["job_retries"].from_text(text)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("port", "4730.0"), ("backlog", "32"), ("backlog", True), ("ssl", "yes"), ("ssl", 1),
     ("log_file", 3), ("grace", [1]), ("verbose", 2)],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused(attribute: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{OPTIONS[attribute].name} must be "):
        OPTIONS[attribute].from_value(value)


def test_a_whole_number_is_good_for_a_number() -> None:
    assert settle({"grace": 5}, {}).grace == 5.0


def test_what_is_given_counts_more_than_the_environment() -> None:
    environ = {"GEARMAND_PORT": "4731", "STATSD_HOST": "stats", "STATSD_PORT": ""}
    assert settle({}, environ).settings.port == 4731
    assert settle({"port": 4732}, environ).settings.port == 4732
    assert settle({}, environ).settings.statsd_host == "stats"
    assert settle({}, environ).settings.statsd_port == 8125


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^environment variable GEARMAND_PORT: port must"):
        settle({}, {"GEARMAND_PORT": "many"})


@pytest.mark.parametrize("attribute", ["ssl_key", "ssl_cert", "ssl_ca"])
def test_each_file_implies_tls_unless_it_is_switched_off(attribute: str) -> None:
    assert settle({attribute: "file"}, {}).ssl
    assert not settle({attribute: "file", "ssl": False}, {}).ssl
    assert not settle({}, {}).ssl


def test_the_files_of_the_environment_count_with_tls_only() -> None:
    environ = {"GEARMAND_SERVER_KEY": "key", "GEARMAND_CA_CERTIFICATE": "ca"}
    assert settle({}, environ) == Options()
    options = settle({"ssl": True, "ssl_ca": "mine"}, environ).settings
    assert (options.ssl_key, options.ssl_ca, options.ssl_cert) == ("key", "mine", None)


def test_a_number_for_keepalive_switches_it_on() -> None:
    assert settle({"keepalive_count": 3}, {}).settings.keepalive
    assert not settle({}, {}).settings.keepalive


def test_every_name_leads_to_its_option() -> None:
    assert BY_KEY["pidfile"] == BY_KEY["pid-file"] == "pid_file"
    assert BY_KEY["ssl-ca-file"] == "ssl_ca"
    assert set(BY_KEY.values()) == set(OPTIONS)
