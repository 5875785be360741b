"""Score the visits of each day: an Airflow DAG that calls `anomalo run`."""

import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="visits",
    schedule="15 6 * * *",
    start_date=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
    catchup=False,
    max_active_runs=1,
):
    # A retry does not score again what is scored: it notifies the routes that failed. 3 means that a gate was hit: the
    # task is skipped then, and not tried again.
    BashOperator(
        task_id="score",
        bash_command="anomalo run /srv/visits/job.toml --date {{ ds }} --resume",
        retries=3,
        retry_delay=datetime.timedelta(minutes=10),
        skip_on_exit_code=3,
    )
