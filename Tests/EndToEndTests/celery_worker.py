"""The worker of test_celery: the first seed's way of reporting, unchanged but for one import."""

from __future__ import annotations

import os

from celery import Celery

from signalbox.compat.task_progress import ws_notifier  # was: from app.services.websocket_notifier import ws_notifier

app = Celery("indexing", broker=os.environ["BROKER_URL"])
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task(bind=True, name="index")
def index(self, documents):
    # 批量索引回调,每处理一个文档推送一次
    def progress_callback(current, total):
        progress = int((current / total) * 100)
        ws_notifier.send_progress_update(
            task_id=self.request.id,
            progress=progress,
            current=current,
            total=total,
            message=f"处理中 {current}/{total}",
        )

    for number, document in enumerate(documents, 1):
        if document == "broken":
            ws_notifier.send_task_error(
                task_id=self.request.id, error="索引失败: 数据库连接错误", details={"at": number}
            )
            raise RuntimeError("broken document")
        progress_callback(number, len(documents))
    ws_notifier.send_task_complete(
        task_id=self.request.id,
        success=True,
        message="批量索引完成",
        result={"total": len(documents), "process": os.getpid()},
    )
