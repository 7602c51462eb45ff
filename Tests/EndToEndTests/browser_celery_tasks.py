"""A Celery application as a user of the gateway would write it: reports from the task's body, by the Python client."""

import os
import time

import celery

from signalbox import Gateway

# Seconds a task waits for its watcher.
RELEASE_SECONDS_MAX = 60

app = celery.Celery("browser_celery_tasks", broker=os.environ["CELERY_BROKER_URL"])
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

gateway = Gateway.from_env()


@app.task(bind=True)
def index_documents(self, count, fail_at=None):
    """Indexes documents, one report each. Waits before the first for somebody to watch: the test wants to see it all."""
    task_id = self.request.id
    gateway.register(task_id, title="批量索引", total=count)
    give_up = time.monotonic() + RELEASE_SECONDS_MAX
    while not os.path.exists(f"{os.environ['RELEASE_FILE']}-{task_id}"):
        if time.monotonic() > give_up:
            raise TimeoutError("nobody came to watch")
        time.sleep(0.02)
    for current in range(1, count + 1):
        if current == fail_at:
            gateway.error(task_id, "索引失败: 数据库连接错误", error_code="E003")
            return
        gateway.progress(task_id, 100 * current // count, current=current, total=count,
                         message=f"处理中 {current}/{count}")
    gateway.complete(task_id, message="批量索引完成", result={"total": count, "success": count, "failed": 0})
