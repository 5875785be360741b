"""The file of a daily job: what it says, and what is said of mistakes in it."""

import datetime
from pathlib import Path

import pytest

from anomalo.errors import SourceError, UsageError
from anomalo.jobs.daily.job_file import read_job
from anomalo.jobs.daily.routes import Email, Webhook, to_json

DAY = datetime.date(2026, 11, 30)
WHOLE = """
name = "visits of the day"
source = "in/visits-{date:%Y%m%d}.csv"
with = "visits@production"
threshold = "fdr=0.05"
explain = 50
strict = true
safe_csv = true
workspace = "../w"

[reading]
header = 3
sheet = "May"

[outputs]
scores = "out/{date}.parquet"
metrics = "/metrics/visits.prom"

[gates]
fail_over = 100
fail_on_drift = true

[compute]
workers = 2
device = "cpu"

[fit]
source = "s3://bucket/{date:%Y}.parquet"
drop = ["note"]
set = { epochs = 3 }

[[routes]]
kind = "command"
command = ["./notify.sh", "ops"]

[[routes]]
name = "chat"
kind = "webhook"
when = "over 20"
url_env = "CHAT_URL"
secret_env = "CHAT_SECRET"
timeout = 5

[[routes]]
kind = "email"
when = "drift"
host = "mail.example.com"
from = "anomalo@example.com"
to = ["ops@example.com"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


def test_a_whole_file(folder: Path) -> None:
    (folder / "job.toml").write_text(WHOLE)
    job = read_job(folder / "job.toml", DAY)
    assert (job.name, job.model, str(job.threshold)) == ("visits of the day", "visits@production", "fdr=0.05")
    assert (job.source, job.output) == (f"{folder}/in/visits-20261130.csv", folder / "out" / "2026-11-30.parquet")
    assert (job.metrics, job.workspace) == (Path("/metrics/visits.prom"), folder / "../w")
    assert (job.explain, job.strict, job.safe_csv) == (50, True, True)
    assert (job.reading.line, job.reading.sheet) == (3, "May")
    assert (job.gates.fail_over, job.gates.fail_on_drift) == (100, True)
    assert (job.engine.workers, job.compute.device) == (2, "cpu")
    assert job.first is not None
    assert (job.first.source, job.first.drop, job.first.set) == ("s3://bucket/2026.parquet", ("note",), {"epochs": 3})
    command, chat, mail = job.routes
    assert (command.name, command.when, chat.name) == ("command", "alerts", "chat")
    assert isinstance(chat, Webhook)
    assert (chat.timeout, chat.retries, chat.url_env) == (5.0, 3, "CHAT_URL")
    assert isinstance(mail, Email)
    assert to_json(mail)["from"] == "anomalo@example.com"
    assert job.note()["folder"] == str(folder)


def test_what_is_not_given(folder: Path) -> None:
    (folder / "job.toml").write_text('source = "postgresql://ann@host/clinic::visits"\nwith = "visits"\n')
    job = read_job(folder / "job.toml", DAY)
    assert (job.name, job.source, job.output, job.metrics) == (
        "job",
        "postgresql://ann@host/clinic::visits",
        None,
        None,
    )
    assert job.workspace == folder / "anomalo-workspace"
    assert (job.threshold, job.routes, job.first) == (None, (), None)


def test_a_folder_stays_a_folder(folder: Path) -> None:
    (folder / "job.toml").write_text('source = "in/"\nwith = "m"\n[outputs]\nscores = "out/{date}/"\n')
    job = read_job(folder / "job.toml", DAY)
    assert (job.source, str(job.output)) == (f"{folder}/in/", f"{folder}/out/2026-11-30/")


TOP = 'source = "a.csv"\nwith = "m"\n'
MAIL = '[[routes]]\nkind = "email"\nfrom = "a@b.c"\nto = ["a@b.c"]\n'
MISTAKES = {
    'source = "a.csv"\n': "job.toml: the file has no 'with', which is needed",
    TOP + 'treshold = "fdr=0.1"\n': "job.toml, line 3: the file has no key 'treshold'; did you mean 'threshold'?",
    TOP + 'threshold = "fdr=2"\n': "job.toml, line 3: ",
    TOP + 'explain = "all"\n': "job.toml, line 3: explain is 'all'; expected a whole number",
    TOP + "explain = true\n": "job.toml, line 3: explain is True; expected a whole number",
    TOP + "explain = -1\n": "job.toml, line 3: explain is -1",
    TOP + "strict = 1\n": "job.toml, line 3: strict is 1; expected true or false",
    TOP + "[gates]\n\nfail_over = 1.5\n": "job.toml, line 5: fail_over is 1.5; expected a whole number",
    TOP + "[gate]\nfail_over = 1\n": "has no key 'gate'; did you mean 'gates'?",
    TOP + "[outputs]\nscore = 1\n": "job.toml, line 4: [outputs] has no key 'score'; did you mean 'scores'?",
    TOP + "[reading]\nencoding = 'klingon'\n": "job.toml, line 3: encoding 'klingon' is not known",
    TOP + "[fit]\nmodel = 'auto'\n": "job.toml, line 3: [fit] has no 'source', which is needed",
    'source = "{day}.csv"\nwith = "m"\n': "line 1: source has {day}; expected {date} or {date:%Y%m%d}",
    'source = "{date.__class__}.csv"\nwith = "m"\n': "line 1: source has {date.__class__}; expected {date}",
    'source = "{date.csv"\nwith = "m"\n': "line 1: source has ",
    TOP + 'safe_csv = true\n[outputs]\nscores = "s3://b/o.csv"\n': "line 3: safe_csv is for a file of this machine",
    'source = "-"\nwith = "m"\n': "job.toml, line 1: source is '-'",
    TOP + 'routes = "ops"\n': "routes is 'ops'; expected a list",
    TOP + '[[routes]]\nkind = "web"\n': "job.toml, line 4: kind is 'web'; did you mean 'webhook'?; expected command",
    TOP + "[[routes]]\nwhen = 'always'\n": "job.toml, line 3: kind is None; expected command, webhook, email",
    TOP + '[[routes]]\nkind = "command"\n': "job.toml, line 3: command is empty",
    TOP + '[[routes]]\nkind = "command"\ncommand = "rm"\n': "line 5: command is 'rm'; expected a list of texts",
    TOP + '[[routes]]\nkind = "command"\ncommand = ["a"]\nwhen = "often"\n': "line 6: when is 'often'",
    TOP + '[[routes]]\nkind = "command"\ncommand = ["a"]\n[[routes]]\nkind = "command"\ncommand = ["b"]\n': (
        "job.toml, line 6: two routes are called 'command'; give each a name"
    ),
    TOP + '[[routes]]\nkind = "webhook"\n': "expected either url, or url_env",
    TOP + '[[routes]]\nkind = "webhook"\nurl = "file:///etc/passwd"\n': "line 5: url is no http:// or https:// address",
    TOP + '[[routes]]\nkind = "webhook"\nurl = "https://ann:x1y2@host/"\n': "line 5: url holds a password or key",
    TOP + '[[routes]]\nkind = "webhook"\nurl = "https://host/?token=x1y2"\n': "line 5: url holds a password or key",
    TOP + '[[routes]]\nkind = "webhook"\nurl = "https://host/"\nretries = 99\n': "line 6: retries is 99",
    TOP + '[[routes]]\nkind = "email"\nfrom = "me"\nto = ["a@b.c"]\n': "line 5: from is 'me'; expected an address",
    TOP + '[[routes]]\nkind = "email"\nfrom = "a@b.c"\n': "to is ''; expected an address",
    TOP + '[[routes]]\nkind = "email"\nfrom = "a@b.c"\nto = ["a@b.c\\nBcc: x@y.z"]\n': "line 6: to is ",
    TOP + MAIL + 'user_env = "U"\n': "line 7: user_env and",
    TOP + MAIL + 'security = "none"\nuser_env = "U"\npassword_env = "P"\n': (
        "line 7: security is 'none', and a password would be readable"
    ),
    "source = \n": "job.toml is not TOML: ",
}


@pytest.mark.parametrize("text", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_named_with_its_line(folder: Path, text: str) -> None:
    (folder / "job.toml").write_text(text)
    with pytest.raises(UsageError) as raised:
        read_job(folder / "job.toml", DAY)
    assert MISTAKES[text] in str(raised.value)
    assert "x1y2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*absent.toml: No such file"):
        read_job(folder / "absent.toml", DAY)
