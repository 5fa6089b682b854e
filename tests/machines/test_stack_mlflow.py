"""MLflow with the ordinary client, and its secrets while they change."""

import json
import secrets
from pathlib import Path

import boto3
import mlflow
import requests

from tests.machines.live import Live
from tests.waiting import until

NEW_USER = "somebody"


def admin(stack: Live) -> tuple[str, str]:
    variables = stack.environment()
    return variables["MLFLOW_TRACKING_USERNAME"], variables["MLFLOW_TRACKING_PASSWORD"]


def api(stack: Live, verb: str, path: str, auth: tuple[str, str], **more: object) -> requests.Response:
    return requests.request(verb, f"{stack.mlflow_url}/api/2.0/mlflow/{path}", auth=auth, timeout=60, **more)  # type: ignore[arg-type]


def works(stack: Live) -> bool:
    """Whether MLflow answers out of its database."""
    try:
        return api(stack, "GET", "experiments/search?max_results=1", admin(stack)).status_code == 200
    except requests.RequestException:
        return False


def reconnect(stack: Live) -> None:
    """Ends every connection to the database, as a failover does, so that the next one needs the password of today."""
    stack.localcloud("fault", "database", "down")
    until(lambda: not works(stack), "MLflow has lost its database")
    stack.localcloud("fault", "database", "up")


def master_login(stack: Live, password: str) -> bool:
    """Whether the database takes this master password, asked from the tracking node."""
    database = boto3.client("rds").describe_db_instances()["DBInstances"][0]
    script = (
        "import psycopg,sys; psycopg.connect(host=sys.argv[1], user=sys.argv[2], dbname=sys.argv[3], "
        "password=sys.stdin.read(), sslmode='verify-full', sslrootcert='/etc/slipway/rds-ca.pem')"
    )
    where = [database["Endpoint"]["Address"], database["MasterUsername"], database.get("DBName") or "postgres"]
    path = "PYTHONPATH=/opt/slipway/control/src:/opt/slipway/control/lib"
    command = f"printf %s '{password}' | {path} python3 -c \"{script}\" {' '.join(where)}"
    return stack.shell(stack.nodes("tracking")[0], "bash", "-c", command, check=False).ok


def test_a_run_with_an_artifact_is_logged_and_read_back(stack: Live, tmp_path: Path) -> None:
    artifact = tmp_path / "note.txt"
    artifact.write_text("kept in S3")
    mlflow.set_experiment("acceptance")
    with mlflow.start_run() as run:
        mlflow.log_metric("score", 0.5)
        mlflow.log_artifact(str(artifact))
    assert mlflow.get_run(run.info.run_id).data.metrics == {"score": 0.5}
    fetched = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="note.txt", dst_path=str(tmp_path)
    )
    assert Path(fetched).read_text() == "kept in S3"
    listed = boto3.client("s3").list_objects_v2(Bucket=stack.outputs["bucket"], Prefix="mlflow/")
    assert any(each["Key"].endswith("note.txt") for each in listed["Contents"])


def test_it_works_in_a_browser(stack: Live) -> None:
    page = requests.get(stack.mlflow_url, auth=admin(stack), headers={"Accept": "text/html"}, timeout=60)
    assert page.status_code == 200
    assert "<title>MLflow</title>" in page.text


def master_password(stack: Live, secret: str) -> str:
    """As the tracking node reads it: the operator's own policy does not let them. With the units' patience for the
    metadata service, which is as busy as the machine."""
    patience = "AWS_METADATA_SERVICE_TIMEOUT=5 AWS_METADATA_SERVICE_NUM_ATTEMPTS=4"
    command = 'aws --endpoint-url "$AWS_ENDPOINT_URL" --region "$0" secretsmanager get-secret-value --secret-id "$1"'
    where = (stack.outputs["region"], secret)
    found = stack.shell(stack.nodes("tracking")[0], "bash", "-c", f"{patience} {command} --output json", *where)
    return str(json.loads(json.loads(found.stdout)["SecretString"])["password"])


def test_a_new_master_password_is_not_noticed(stack: Live) -> None:
    database = boto3.client("rds").describe_db_instances()["DBInstances"][0]
    secret = database["MasterUserSecret"]["SecretArn"]
    old = master_password(stack, secret)
    boto3.client("rds").modify_db_instance(
        DBInstanceIdentifier=database["DBInstanceIdentifier"], RotateMasterUserPassword=True, ApplyImmediately=True
    )
    new = until(
        lambda: value if (value := master_password(stack, secret)) != old else "",
        "the secret has another password",
    )
    until(lambda: master_login(stack, new), "the database takes the new password")
    assert not master_login(stack, old)
    assert works(stack)


def test_a_new_password_of_its_own_is_taken_up_without_a_restart(stack: Live) -> None:
    node, client = stack.nodes("tracking")[0], boto3.client("secretsmanager")
    started = stack.shell(node, "systemctl", "show", "-P", "ExecMainStartTimestamp", "mlflow.service").stdout
    arn = stack.outputs["mlflow_admin_secret_arn"]
    held = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    client.put_secret_value(
        SecretId=arn, SecretString=json.dumps(held | {"database_password": secrets.token_urlsafe(32)})
    )
    stack.shell(node, "systemctl", "start", "mlflow-credentials.service")
    assert works(stack)
    reconnect(stack)
    until(lambda: works(stack), "MLflow connects with its new password")
    after = stack.shell(node, "systemctl", "show", "-P", "ExecMainStartTimestamp", "mlflow.service").stdout
    assert after == started, "MLflow was not restarted"


def test_a_login_ends_at_once_with_its_password_and_its_user(stack: Live) -> None:
    """MLflow remembers logins that were right, so that each call does not cost another hash."""
    name, first, second = f"brief-{secrets.token_hex(4)}", secrets.token_urlsafe(16), secrets.token_urlsafe(16)

    def status(password: str) -> int:
        return api(stack, "GET", f"users/get?username={name}", (name, password)).status_code

    assert api(stack, "POST", "users/create", admin(stack), json={"username": name, "password": first}).ok
    assert status(first) == 200
    changed = api(stack, "PATCH", "users/update-password", admin(stack), json={"username": name, "password": second})
    assert changed.ok, changed.text
    assert (status(first), status(second)) == (401, 200)
    assert api(stack, "DELETE", "users/delete", admin(stack), json={"username": name}).ok
    assert status(second) == 401


def test_users_outlive_the_node(stack: Live) -> None:
    password = secrets.token_urlsafe(16)
    made = api(stack, "POST", "users/create", admin(stack), json={"username": NEW_USER, "password": password})
    assert made.status_code == 200, made.text
    node = stack.nodes("tracking")[0]
    stack.kill(node)
    stack.until_whole("tracking", without=node.id)
    until(lambda: works(stack), "the new node answers the old admin")
    found = api(stack, "GET", f"users/get?username={NEW_USER}", (NEW_USER, password))
    assert found.status_code == 200, found.text
    assert api(stack, "GET", f"users/get?username={NEW_USER}", (NEW_USER, "wrong")).status_code == 401
    address = boto3.client("ssm").get_parameter(Name="/slipway/local/tracking-address")["Parameter"]["Value"]
    assert address == stack.nodes("tracking")[0].address, "the new node has said where it is"
