"""What /metrics tells, and that the dashboard and the alert rules ask for what is there."""
import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from lab import TOP, until

RULES = f"{TOP}/packaging/prometheus/backstop.rules.yml"
DASHBOARD = f"{TOP}/packaging/grafana/backstop.json"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.fixture(name="own")
def fixture_own(lab):
    return lab.new_guard()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(url, accept="text/plain", method="GET"):
    request = urllib.request.Request(url, headers={"Accept": accept}, method=method)
    with urllib.request.urlopen(request, timeout=20) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


def end(process):
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    return err.decode() if err else ""


class Page:
    """`backstop serve` of a guard, and what it tells."""

    def __init__(self, guard, directory, *options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.process = subprocess.Popen(
            [guard.backstop, "serve", "--dir", f"{guard.state}/journal", "--database", f"{directory}/record.db", "--socket",
             guard.socket, "--listen", str(self.port), *options], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(self.answers, "it answers")

    def answers(self):
        assert self.process.poll() is None, self.process.communicate()
        try:
            return get(self.url)
        except OSError:
            return None

    def values(self):
        """By name and labels, as they stand in a line."""
        lines = get(self.url)[1].splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    def expect(self, **wanted):
        """Names have their labels behind a colon, without quotes: the guard is asked once a second."""
        def plain():
            return {re.sub(r'[{"}]', "", k.removeprefix("backstop_")): v for k, v in self.values().items()}

        until(lambda: all(plain().get(k) == v for k, v in wanted.items()), lambda: f"{wanted} in {plain()}")


@pytest.fixture(name="page")
def fixture_page(own, tmp_path):
    made = Page(own, tmp_path, "--export", f"file:{tmp_path}/out.jsonl")
    yield made
    end(made.process)


def check(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout + done.stderr, done


def make_events(lab, own):
    """One of each verdict; the hold is open."""
    for program in ("victim-alert", "victim-deny", "victim-kill"):
        lab.run(lab.words(program), guard=own).finish()
    lab.run(["python3", "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"],
            guard=own).finish()
    agent = lab.run(lab.words("terraform", "destroy"), guard=own)
    return agent, own.wait_for_holds()[0]


def test_page(lab, own, page):
    agent, hold = make_events(lab, own)
    page.expect(**{"up": 1, "holds": 1, "sessions" + "agent=test": 1, "actions_totalaction=exec,verdict=alert": 1,
                   "actions_totalaction=exec,verdict=deny": 1, "actions_totalaction=exec,verdict=kill": 1,
                   "actions_totalaction=exec,verdict=hold": 1, "holds_ended_totaloutcome=approved": 0})
    until(lambda: page.values()["backstop_hold_oldest_age_seconds"] >= 1, "the hold gets older")
    own.approve(hold)
    agent.finish()
    page.expect(**{"holds": 0, "hold_oldest_age_seconds": 0, "holds_ended_totaloutcome=approved": 1, "events_waiting": 0,
                   "recorder_lag_bytes": 0, f"exporter_lag_bytessink=file:{lab_out(page)}": 0,
                   "recorder_lines_total": len(own.lines()), f"exporter_lines_totalsink=file:{lab_out(page)}": len(own.lines())})
    now = page.values()
    assert now['backstop_freeze_duration_seconds_bucket{le="1.0"}'] < now["backstop_freeze_duration_seconds_count"]
    assert now["backstop_freeze_duration_seconds_sum"] > 1
    assert now["backstop_decision_duration_seconds_count"] == now["backstop_freeze_duration_seconds_count"]
    assert now['backstop_ring_size_bytes{ring="events"}'] > now['backstop_ring_peak_bytes{ring="events"}'] > 0
    assert now['backstop_actions_total{action="connect",verdict="allow"}'] >= 1
    status = own.status()
    assert now[f'backstop_policy_info{{version="{status["policy_version"]}"}}'] == 1
    assert now["backstop_journal_size_bytes"] == sum(len(line) + 1 for line in map(str.encode, own.lines()))


def lab_out(page):
    return page.process.args[-1].removeprefix("file:")


def test_formats(page):
    kind, text = get(page.url)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    check(text)
    assert "# TYPE backstop_events_made_total counter" in text and "# EOF" not in text
    kind, text = get(page.url, accept=OPENMETRICS + ",text/plain;q=0.5")
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert "# TYPE backstop_events_made counter" in text and text.endswith("# EOF\n")
    assert get(page.url, method="HEAD")[1] == ""
    for url, method, code in (("/", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405)):
        with pytest.raises(urllib.error.HTTPError) as raised:
            get(page.url.removesuffix("/metrics") + url, method=method)
        assert raised.value.code == code


def test_guard_away(own, page):
    page.expect(up=1)
    own.stop()
    page.expect(up=0)
    away = page.values()
    assert away["backstop_recorder_lag_bytes"] == 0 and away['backstop_recorded_events_total{kind="guard"}'] > 0
    assert not [k for k in away if k.startswith("backstop_holds")]
    check(get(page.url)[1])
    own.start()
    page.expect(up=1)
    assert "the guard does not tell its status" in end(page.process)


def test_where_it_does_not_listen(own, tmp_path, page):
    argv = [own.backstop, "serve", "--dir", f"{own.state}/journal", "--database", f"{tmp_path}/other.db", "--listen"]
    for bad in ("localhost:9794", ":9794", "127.0.0.1:", "[::1:9794", "::1:9794", "65536", "x"):
        done = subprocess.run([*argv, bad], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done
        assert f"'{bad}' is no [ADDRESS:]PORT" in done.stderr
    assert not os.path.exists(f"{tmp_path}/other.db")
    done = subprocess.run([*argv, str(page.port)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "cannot keep" not in done.stderr, done
    assert done.stderr.splitlines()[-1] == f"backstop: cannot listen on {page.port}: Address already in use"


# ---- Prometheus itself

class Prometheus:
    """One that scrapes the page each second, with our rules."""

    def __init__(self, page, directory):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [RULES],
                  "scrape_configs": [{"job_name": "backstop", "static_configs": [{"targets": [f"127.0.0.1:{page.port}"]}]}]}
        path = os.path.join(directory, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.process = subprocess.Popen(
            ["prometheus", "--config.file", path, "--storage.tsdb.path", f"{directory}/tsdb", "--log.level", "warn",
             "--web.listen-address", self.url.removeprefix("http://")], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until(self.ready, "Prometheus is ready")

    def ready(self):
        assert self.process.poll() is None, self.process.communicate()
        try:
            return get(self.url + "/-/ready")
        except OSError:
            return None

    def api(self, path, **parameters):
        try:
            reply = get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")[1]
        except urllib.error.HTTPError as e:
            reply = e.read().decode()
        reply = json.loads(reply)
        assert reply["status"] == "success", (parameters, reply)
        return reply["data"]

    def query(self, expr):
        return self.api("query", query=expr)["result"]


@pytest.fixture(name="prometheus")
def fixture_prometheus(page, tmp_path):
    made = Prometheus(page, tmp_path)
    yield made
    end(made.process)


def dashboard_queries():
    with open(DASHBOARD, encoding="utf-8") as f:
        panels = [p for p in json.load(f)["panels"] if p["type"] != "row"]
    for panel in panels:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "30s").replace("$instance", ".*")


def names_in(expr):
    return set(re.findall(r"\bbackstop_\w+", expr))


def test_dashboard_is_sound():
    with open(DASHBOARD, encoding="utf-8") as f:
        board = json.load(f)
    panels = board["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    taken = set()
    for p in panels:
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert g["x"] + g["w"] <= 24 and not cells & taken, p["title"]
        taken |= cells
        if p["type"] != "row":
            assert all(t["datasource"]["uid"] == "${datasource}" and "$instance" in t["expr"] for t in p["targets"])


def test_queries(lab, own, page, prometheus):
    """All of the dashboard have data; no alert is raised by a name that nobody has."""
    def settled():
        return prometheus.query("backstop_actions_total") and prometheus.query("rate(backstop_up[30s])")

    stays = lab.run(["sleep", "600"], guard=own)
    until(settled, "it was scraped twice")
    agent, hold = make_events(lab, own)
    own.approve(hold)
    agent.finish()
    until(lambda: prometheus.query('backstop_holds_ended_total{outcome="approved"} == 1'), "the last is there")
    for title, expr in dashboard_queries():
        found = until(lambda: prometheus.query(expr), lambda: f"data for {title}: {expr}")
        assert not [s for s in found if s["value"][1] == "NaN"] or "quantile" in expr, (title, found)
    stays.end()
    quantile = next(e for t, e in dashboard_queries() if t == "Decisions")
    assert 0 < float(prometheus.query(quantile)[0]["value"][1]) < 5
    assert float(prometheus.query('sum(increase(backstop_actions_total{verdict="hold"}[1m]))')[0]["value"][1]) >= 1


def test_rules(lab, own, page, prometheus):
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done
    done = subprocess.run(["promtool", "test", "rules", f"{TOP}/tests/e2e/alerts.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done

    def rules():
        return prometheus.api("rules")["groups"][0]["rules"]

    until(lambda: all(r["health"] == "ok" for r in rules()), lambda: f"all are evaluated: {rules()}")
    with open(f"{TOP}/tests/e2e/alerts.yml", encoding="utf-8") as f:
        tested = set(re.findall(r"alertname: (\w+)", f.read()))
    assert tested == {r["name"] for r in rules()}
    until(lambda: prometheus.query("backstop_up == 1"), "it was scraped")
    for rule in rules():
        for name in names_in(rule["query"]):
            assert prometheus.query(name), (rule["name"], name)
    agent = lab.run(lab.words("terraform", "destroy"), guard=own)
    hold = own.wait_for_holds()[0]
    own.deny(hold)
    agent.finish()

    def firing():
        return {a["labels"]["alertname"] for a in prometheus.api("alerts")["alerts"] if a["state"] == "firing"}

    until(lambda: "BackstopCriticalFinding" in firing(), firing)
    assert firing() == {"BackstopCriticalFinding"}
