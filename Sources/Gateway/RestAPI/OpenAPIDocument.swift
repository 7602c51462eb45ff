// swift-format-ignore-file
// Written by scripts/embed-openapi.py from docs/openapi.json. Change that, not this file.

/// The description of the HTTP API that `GET /api/v1/openapi.json` answers: the bytes of docs/openapi.json.
enum OpenAPIDocument {
  static let bytes: [UInt8] = Array(text.utf8)
}

private let text = ###"""
{
  "openapi": "3.1.0",
  "info": {
    "title": "Signalbox",
    "version": "0.1.0",
    "summary": "A gateway for task progress and human decisions.",
    "description": "Workers report over this API; browsers and apps watch over WebSocket, which `docs/protocol.md` describes.\n\nEvery GET is also served as HEAD. Errors are RFC 9457 problems. Times are Unix seconds. With `--internal-port`, `/metrics`, `/api/v1/status` and every call that needs credentials, tickets aside, are served by that listener only. With `--dev`, on loopback, no credentials are needed.",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
  },
  "servers": [{"url": "http://127.0.0.1:8765", "description": "Where `signalbox serve` listens unless told otherwise"}],
  "tags": [
    {"name": "reports", "description": "What workers say."},
    {"name": "tasks", "description": "What is known of tasks."},
    {"name": "cancelling", "description": "A request, and the worker's answer."},
    {"name": "confirmations", "description": "Questions to users, each resolved exactly once."},
    {"name": "executions", "description": "Tasks seen through the execution dialect."},
    {"name": "messages", "description": "What is no task's event."},
    {"name": "access", "description": "Credentials for WebSockets."},
    {"name": "operation", "description": "For operators and probes; open to everybody."}
  ],
  "paths": {
    "/livez": {
      "get": {
        "operationId": "livez",
        "tags": ["operation"],
        "summary": "Do the event loops turn?",
        "security": [],
        "responses": {
          "200": {
            "description": "Yes.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "503": {
            "description": "No: `status` says why.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/readyz": {
      "get": {
        "operationId": "readyz",
        "tags": ["operation"],
        "summary": "Should clients be sent here?",
        "description": "503 while starting or draining, and while the store takes no changes: `detail` says why.",
        "security": [],
        "responses": {
          "200": {
            "description": "Yes.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "503": {
            "description": "No: `status` says why.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/healthz": {
      "get": {
        "operationId": "healthz",
        "tags": ["operation"],
        "summary": "The same as `/readyz`",
        "security": [],
        "responses": {
          "200": {
            "description": "Yes.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "503": {
            "description": "No: `status` says why.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/metrics": {
      "get": {
        "operationId": "metrics",
        "tags": ["operation"],
        "summary": "Metrics for Prometheus",
        "security": [],
        "responses": {
          "200": {
            "description": "The text format, or OpenMetrics where `Accept` asks for it.",
            "content": {
              "text/plain": {"schema": {"type": "string"}},
              "application/openmetrics-text": {"schema": {"type": "string"}}
            }
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/ui/": {
      "get": {
        "operationId": "dashboard",
        "tags": ["operation"],
        "summary": "The dashboard: a page of live tasks",
        "security": [],
        "responses": {
          "200": {
            "description": "The page. Its files are beside it: `/ui/dashboard.js` …",
            "content": {"text/html": {"schema": {"type": "string"}}}
          },
          "304": {"description": "Unchanged: `If-None-Match` has its `ETag`."},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/ui": {
      "get": {
        "operationId": "dashboardRedirect",
        "tags": ["operation"],
        "summary": "To the dashboard",
        "security": [],
        "responses": {
          "308": {
            "description": "`/ui/`, which the page's relative links need.",
            "headers": {"Location": {"description": "Always `/ui/`.", "schema": {"type": "string"}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/echo": {
      "post": {
        "operationId": "echo",
        "tags": ["operation"],
        "summary": "Answers with the body it got",
        "description": "For conformance suites. Served with `--echo` only, up to 64 MiB.",
        "requestBody": {"required": false, "content": {"application/octet-stream": {"schema": {"type": "string"}}}},
        "security": [],
        "responses": {
          "200": {
            "description": "The body.",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}}
          },
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/status": {
      "get": {
        "operationId": "status",
        "tags": ["operation"],
        "summary": "The gateway in one object",
        "security": [],
        "responses": {
          "200": {
            "description": "The status.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/openapi.json": {
      "get": {
        "operationId": "openAPI",
        "tags": ["operation"],
        "summary": "This description",
        "security": [],
        "responses": {
          "200": {
            "description": "This document.",
            "content": {"application/json": {"schema": {"type": "object", "additionalProperties": true}}}
          },
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tickets": {
      "post": {
        "operationId": "tickets",
        "tags": ["access"],
        "summary": "A ticket for one WebSocket",
        "description": "One use, 60 s: for `?ticket=` in a URL, where a JWT should not stand. A user's token gives a ticket with all its claims; a publisher names `user_id`.",
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TicketRequest"}}}
        },
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "201": {
            "description": "The ticket.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ticket"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks": {
      "get": {
        "operationId": "listTasks",
        "tags": ["tasks"],
        "summary": "List tasks",
        "description": "Newest first. A user's token sees the tasks that it owns.",
        "parameters": [
          {
            "name": "status",
            "in": "query",
            "description": "Only those with this status.",
            "schema": {"$ref": "#/components/schemas/TaskStatus"}
          },
          {
            "name": "owner",
            "in": "query",
            "description": "Only this user's.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128}
          },
          {"name": "kind", "in": "query", "description": "Only of this kind.", "schema": {"type": "string"}},
          {
            "name": "parent_id",
            "in": "query",
            "description": "Only the children of this task.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
          },
          {
            "name": "limit",
            "in": "query",
            "description": "Tasks of a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
          },
          {
            "name": "cursor",
            "in": "query",
            "description": "`next_cursor` of the page before.",
            "schema": {"type": "string"}
          }
        ],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "A page.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TaskPage"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      },
      "post": {
        "operationId": "registerTask",
        "tags": ["tasks"],
        "summary": "Register a task",
        "description": "Idempotent by `task_id`, with and without a key. A task that a report has registered gets what the first registration says (owner, title …).",
        "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TaskRegistration"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "It existed: it is unchanged.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Task"}}}
          },
          "201": {
            "description": "It was made.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Task"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}": {
      "get": {
        "operationId": "task",
        "tags": ["tasks"],
        "summary": "A task's latest state",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "The task.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Task"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/events": {
      "get": {
        "operationId": "taskEvents",
        "tags": ["tasks"],
        "summary": "A task's events",
        "parameters": [
          {"$ref": "#/components/parameters/TaskId"},
          {
            "name": "after",
            "in": "query",
            "description": "Only those after this offset.",
            "schema": {"type": "integer", "minimum": 0, "default": 0}
          },
          {
            "name": "limit",
            "in": "query",
            "description": "Events at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
          }
        ],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "Those that are kept, oldest first.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TaskEvents"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/sse/tasks/{task_id}": {
      "get": {
        "operationId": "stream",
        "tags": ["tasks"],
        "summary": "A task's events as they happen (server-sent events)",
        "description": "For clients without WebSocket; `docs/protocol.md` describes the blocks. First the task object as `event: snapshot`, then every event by its `type`, until the task has finished. Besides `Authorization` the token may be shown as for a WebSocket: `?token=`, `?ticket=`, or the cookie named by `--cookie-name`. With `--auth off` none is needed.",
        "parameters": [
          {"$ref": "#/components/parameters/TaskId"},
          {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The last `id` that the client has. Within the task's history the stream begins with the event after it, without a snapshot.",
            "schema": {"type": "string"}
          },
          {
            "name": "last_event_id",
            "in": "query",
            "description": "The same for clients that cannot set the header.",
            "schema": {"type": "string"}
          },
          {
            "name": "wait",
            "in": "query",
            "description": "Whether to wait for a task that is not known yet.",
            "schema": {"type": "boolean", "default": false}
          }
        ],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "The stream. It lasts until the task has finished, and counts towards `--max-connections`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}}
          },
          "204": {"description": "The task has finished, and the client has all of it: `EventSource` stops."},
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/progress": {
      "post": {
        "operationId": "progress",
        "tags": ["reports"],
        "summary": "Report progress",
        "description": "An unknown task is registered by it (404 `task_not_found` with `--register-on-publish off`). A terminal word as `status` ends the task; the answer is the same.",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProgressReport"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "202": {
            "description": "It is numbered and on its way to those who watch.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProgressReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/complete": {
      "post": {
        "operationId": "complete",
        "tags": ["reports"],
        "summary": "Report the end",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}, {"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Completion"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "The task is finished.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TerminalReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/error": {
      "post": {
        "operationId": "error",
        "tags": ["reports"],
        "summary": "Report a failure",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}, {"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "The task has failed.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TerminalReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/heartbeat": {
      "post": {
        "operationId": "heartbeat",
        "tags": ["reports"],
        "summary": "Say that the task still runs",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}],
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Heartbeat"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "It was relayed to watchers and to the user.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelRequested"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/nodes/{node_id}": {
      "post": {
        "operationId": "node",
        "tags": ["reports"],
        "summary": "Report a step of a task",
        "description": "Registers an unknown task and starts a pending one, as progress does. The task's progress becomes the weighted mean of its nodes and children; a node that is `completed` or `skipped` counts 100. A task has 1,024 nodes at most.",
        "parameters": [
          {"$ref": "#/components/parameters/TaskId"},
          {
            "name": "node_id",
            "in": "path",
            "description": "The step, named as tasks are.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
            "required": true,
            "example": "fetch"
          }
        ],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NodeReport"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "202": {
            "description": "It is numbered and on its way to those who watch.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProgressReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/logs": {
      "get": {
        "operationId": "taskLogs",
        "tags": ["tasks"],
        "summary": "A task's log",
        "parameters": [
          {"$ref": "#/components/parameters/TaskId"},
          {
            "name": "after",
            "in": "query",
            "description": "Only those after this log offset.",
            "schema": {"type": "integer", "minimum": 0, "default": 0}
          },
          {
            "name": "limit",
            "in": "query",
            "description": "Lines at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
          }
        ],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "Those that are kept, oldest first: 1,000 lines or 256 KiB of a task.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LogLines"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      },
      "post": {
        "operationId": "logs",
        "tags": ["reports"],
        "summary": "Write lines to a task's log",
        "description": "Lines have an order of their own and are no events. Who watches and keeps up gets each of them. Registers an unknown task; changes no status.",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LogReport"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "202": {
            "description": "The lines are kept and on their way to those who watch.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LogReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/cancel": {
      "post": {
        "operationId": "cancel",
        "tags": ["cancelling"],
        "summary": "Ask that a task be cancelled",
        "description": "Allowed to publishers, to admins and to the task's owner.",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}, {"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelRequest"}}}
        },
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "202": {
            "description": "It is asked for; the event `cancelled` follows when the worker acknowledges, or after `--cancel-timeout`.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelRequested"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/{task_id}/cancel/ack": {
      "post": {
        "operationId": "acknowledgeCancel",
        "tags": ["cancelling"],
        "summary": "The worker has stopped",
        "parameters": [{"$ref": "#/components/parameters/TaskId"}, {"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": false,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelAcknowledgement"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "The task is cancelled.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TerminalReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "409": {"$ref": "#/components/responses/TaskFinished"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/tasks/cancel": {
      "post": {
        "operationId": "cancelMany",
        "tags": ["cancelling"],
        "summary": "Ask that many tasks be cancelled",
        "description": "Each is judged as by `POST /api/v1/tasks/{task_id}/cancel`. Every other method of this path is about the task called `cancel`.",
        "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelManyRequest"}}}
        },
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "202": {
            "description": "What became of each, in the order asked.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CancelledMany"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/executions": {
      "post": {
        "operationId": "createExecution",
        "tags": ["executions"],
        "summary": "Create an execution",
        "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ExecutionRequest"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "201": {
            "description": "A task of kind `execution`, which is offered to the workers that accept some (`docs/protocol.md`).",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Execution"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/executions/{execution_id}": {
      "get": {
        "operationId": "execution",
        "tags": ["executions"],
        "summary": "An execution's latest state",
        "parameters": [
          {
            "name": "execution_id",
            "in": "path",
            "description": "The execution, which is a task.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
            "required": true,
            "example": "report-7"
          }
        ],
        "security": [{"publisher": []}, {"user": []}],
        "responses": {
          "200": {
            "description": "A task, in the words of the execution dialect.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Execution"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/TaskNotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/confirmations": {
      "post": {
        "operationId": "openConfirmation",
        "tags": ["confirmations"],
        "summary": "Ask a user a question",
        "parameters": [{"$ref": "#/components/parameters/Wait"}, {"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ConfirmationRequest"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "201": {
            "description": "It is asked; with `wait`, held until it is resolved or the wait is over.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Confirmation"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/confirmations/{callback_id}": {
      "get": {
        "operationId": "confirmation",
        "tags": ["confirmations"],
        "summary": "A confirmation's state",
        "parameters": [
          {
            "name": "callback_id",
            "in": "path",
            "description": "The confirmation.",
            "schema": {"type": "string"},
            "required": true,
            "example": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2"
          },
          {"$ref": "#/components/parameters/Wait"}
        ],
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "The confirmation; with `wait`, held until it is resolved or the wait is over.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Confirmation"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      },
      "delete": {
        "operationId": "withdrawConfirmation",
        "tags": ["confirmations"],
        "summary": "Withdraw a question",
        "parameters": [
          {
            "name": "callback_id",
            "in": "path",
            "description": "The confirmation.",
            "schema": {"type": "string"},
            "required": true,
            "example": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2"
          }
        ],
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "It is withdrawn.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Confirmation"}}}
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "409": {"$ref": "#/components/responses/AlreadyResolved"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/broadcast": {
      "post": {
        "operationId": "broadcast",
        "tags": ["messages"],
        "summary": "A message to every connection of the action dialect",
        "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "Whom it reached.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Connections"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/channels/{channel}": {
      "post": {
        "operationId": "channel",
        "tags": ["messages"],
        "summary": "A message to a channel's subscribers",
        "description": "`channel` is added to the message. Channels have no history.",
        "parameters": [
          {
            "name": "channel",
            "in": "path",
            "description": "The channel: 1 to 128 characters without control characters, percent-encoded.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            "required": true,
            "example": "news"
          },
          {"$ref": "#/components/parameters/IdempotencyKey"}
        ],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "Whom it reached.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Connections"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/users/{user_id}/messages": {
      "post": {
        "operationId": "sendMessage",
        "tags": ["messages"],
        "summary": "A message to a user's connections",
        "description": "`target_user_id` is added to the message. `wait` holds the answer for the acknowledgement.",
        "parameters": [
          {"$ref": "#/components/parameters/UserId"},
          {
            "name": "requires_ack",
            "in": "query",
            "description": "1: the message carries `message_id` and wants an `ack`.",
            "schema": {"enum": [1, 0]}
          },
          {"$ref": "#/components/parameters/Wait"},
          {"$ref": "#/components/parameters/IdempotencyKey"}
        ],
        "requestBody": {
          "required": true,
          "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "Whom it reached.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/MessageReceipt"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/users/{user_id}/connections": {
      "delete": {
        "operationId": "closeUser",
        "tags": ["messages"],
        "summary": "Close a user's connections",
        "parameters": [{"$ref": "#/components/parameters/UserId"}],
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "How many were closed, with 1008.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Connections"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/messages/{message_id}": {
      "get": {
        "operationId": "message",
        "tags": ["messages"],
        "summary": "Was a message acknowledged?",
        "parameters": [
          {
            "name": "message_id",
            "in": "path",
            "description": "A message that wanted an acknowledgement.",
            "schema": {"type": "string"},
            "required": true,
            "example": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2"
          }
        ],
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "Its state.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/MessageReceipt"}}}
          },
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "404": {"$ref": "#/components/responses/NotFound"},
          "503": {"$ref": "#/components/responses/OverCapacity"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    },
    "/api/v1/publish": {
      "post": {
        "operationId": "publish",
        "tags": ["reports"],
        "summary": "Publish in bulk",
        "description": "Newline-delimited JSON, carried out in order for each task. A line that is refused does not stop the others.",
        "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
        "requestBody": {
          "required": true,
          "content": {
            "application/x-ndjson": {
              "schema": {"type": "string", "description": "One `PublishOperation` a line; blank lines are skipped."},
              "example": "{\"op\":\"progress\",\"task_id\":\"report-7\",\"progress\":50}\n{\"op\":\"complete\",\"task_id\":\"report-6\"}\n"
            }
          }
        },
        "security": [{"publisher": []}],
        "responses": {
          "200": {
            "description": "What became of the lines.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PublishResult"}}}
          },
          "400": {"$ref": "#/components/responses/BadRequest"},
          "401": {"$ref": "#/components/responses/Unauthorized"},
          "403": {"$ref": "#/components/responses/Forbidden"},
          "413": {"$ref": "#/components/responses/PayloadTooLarge"},
          "415": {"$ref": "#/components/responses/UnsupportedMediaType"},
          "422": {"$ref": "#/components/responses/IdempotencyMismatch"},
          "503": {"$ref": "#/components/responses/Unavailable"},
          "default": {"$ref": "#/components/responses/Problem"}
        }
      }
    }
  },
  "components": {
    "securitySchemes": {
      "publisher": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`--api-keys`), or a JWT with `role` `publisher` or `admin`."
      },
      "user": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A JWT with `sub` and `exp`."
      }
    },
    "parameters": {
      "TaskId": {
        "name": "task_id",
        "in": "path",
        "description": "The task: 1 to 128 characters of `A-Z a-z 0-9 . _ : -`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
        "required": true,
        "example": "report-7"
      },
      "UserId": {
        "name": "user_id",
        "in": "path",
        "description": "The user: 1 to 128 characters without control characters, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "required": true,
        "example": "alice"
      },
      "Wait": {
        "name": "wait",
        "in": "query",
        "description": "Seconds that the answer may be held until there is something to say.",
        "schema": {"type": "number", "minimum": 0, "maximum": 300, "default": 0}
      },
      "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A name of this request's own: sent again within 24 hours, by the same credentials to the same path, it is not carried out again but answered as the first time, with `Idempotency-Replayed: true`. With another body it is refused with 422. A request that failed may be sent again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "example": "7f1c9a52-report-7-complete"
      }
    },
    "schemas": {
      "Problem": {
        "type": "object",
        "required": ["type", "code", "title", "status", "detail"],
        "properties": {
          "type": {"type": "string", "pattern": "^urn:signalbox:problem:[a-z_]+$"},
          "code": {
            "type": "string",
            "enum": [
              "bad_request",
              "unauthorized",
              "forbidden",
              "not_found",
              "task_not_found",
              "method_not_allowed",
              "task_finished",
              "already_resolved",
              "request_timeout",
              "payload_too_large",
              "uri_too_long",
              "unsupported_media_type",
              "expectation_failed",
              "idempotency_mismatch",
              "upgrade_required",
              "rate_limited",
              "header_fields_too_large",
              "not_implemented",
              "http_version_not_supported",
              "draining",
              "store_unavailable",
              "over_capacity",
              "internal"
            ],
            "description": "Stable: programs decide by it."
          },
          "title": {"type": "string"},
          "status": {"type": "integer", "minimum": 400, "maximum": 599},
          "detail": {"type": "string", "description": "A sentence for people: the field, the value and the rule."}
        },
        "description": "RFC 9457 problem details."
      },
      "Health": {
        "type": "object",
        "required": ["status"],
        "properties": {
          "status": {"type": "string", "enum": ["ok", "stuck", "starting", "draining", "store_unavailable"]},
          "detail": {"type": "string", "description": "Why the store takes no changes, where it does not."}
        }
      },
      "Status": {
        "type": "object",
        "required": [
          "running",
          "host",
          "port",
          "active_connections",
          "pending_callbacks",
          "tasks",
          "version",
          "uptime_seconds"
        ],
        "properties": {
          "running": {"type": "boolean"},
          "host": {"type": "string"},
          "port": {"type": "integer", "minimum": 0, "maximum": 65535},
          "active_connections": {"type": "integer", "minimum": 0, "description": "Open WebSockets."},
          "pending_callbacks": {"type": "integer", "minimum": 0, "description": "Open confirmations."},
          "tasks": {"type": "integer", "minimum": 0},
          "version": {"type": "string"},
          "uptime_seconds": {"type": "number", "minimum": 0}
        }
      },
      "TaskStatus": {
        "type": "string",
        "enum": ["pending", "running", "completed", "failed", "cancelled"],
        "description": "The last three are terminal: a later report gets 409 `task_finished`."
      },
      "Task": {
        "type": "object",
        "required": [
          "task_id",
          "status",
          "status_text",
          "progress",
          "current",
          "total",
          "message",
          "details",
          "result",
          "error",
          "error_code",
          "owner",
          "viewers",
          "kind",
          "title",
          "parent_id",
          "depends_on",
          "metadata",
          "epoch",
          "offset",
          "stale",
          "cancel_requested",
          "eta",
          "eta_earliest",
          "eta_latest",
          "created_at",
          "started_at",
          "updated_at",
          "finished_at"
        ],
        "properties": {
          "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
          "status": {"$ref": "#/components/schemas/TaskStatus"},
          "status_text": {
            "type": ["string", "null"],
            "description": "The worker's own word for what it does, while the task runs."
          },
          "progress": {"type": "number", "minimum": 0, "maximum": 100},
          "current": {"type": ["number", "null"]},
          "total": {"type": ["number", "null"]},
          "message": {"type": ["string", "null"]},
          "details": {"description": "Any JSON value, as published."},
          "result": {"description": "Any JSON value, as published."},
          "error": {"type": ["string", "null"]},
          "error_code": {"type": ["string", "null"]},
          "owner": {"type": ["string", "null"], "description": "The user who may watch, cancel and list it."},
          "viewers": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Further users who may watch. Without owner and viewers every authenticated user may."
          },
          "kind": {"type": ["string", "null"]},
          "title": {"type": ["string", "null"]},
          "parent_id": {"type": ["string", "null"]},
          "depends_on": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
          },
          "metadata": {"description": "Any JSON value, as registered."},
          "epoch": {
            "type": "string",
            "description": "The name of the numbering: no epoch and offset ever denote two events."
          },
          "offset": {"type": "integer", "minimum": 0, "description": "The last event that this object includes."},
          "stale": {"type": "boolean", "description": "Its worker has not reported within `lease_seconds`."},
          "cancel_requested": {
            "type": "boolean",
            "description": "Somebody asked that it be cancelled: the worker should stop and say so."
          },
          "eta": {
            "type": ["number", "null"],
            "description": "When it will be at 100 at its recent pace, Unix seconds; null where that is not credible."
          },
          "eta_earliest": {"type": ["number", "null"], "description": "The same at its fastest stretch of late."},
          "eta_latest": {"type": ["number", "null"], "description": "The same at its slowest stretch of late."},
          "created_at": {"type": "number", "description": "When it was registered, Unix seconds."},
          "started_at": {
            "type": ["number", "null"],
            "description": "When its first report came, Unix seconds; null until then."
          },
          "updated_at": {"type": "number", "description": "When it last changed, Unix seconds."},
          "finished_at": {"type": ["number", "null"], "description": "When it ended, Unix seconds; null until then."},
          "nodes": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Node"},
            "description": "Only where there are some, in the order of their first reports."
          }
        },
        "description": "A task's latest state. Every key but `nodes` is always present.",
        "examples": [
          {
            "task_id": "report-7",
            "status": "running",
            "status_text": null,
            "progress": 40,
            "current": 4,
            "total": 10,
            "message": "Rendering page 4",
            "details": null,
            "result": null,
            "error": null,
            "error_code": null,
            "owner": "alice",
            "viewers": [],
            "kind": "report",
            "title": "Quarterly report",
            "parent_id": null,
            "depends_on": [],
            "metadata": {"quarter": "Q3"},
            "epoch": "2kq0v7m4x9c1d5b",
            "offset": 3,
            "stale": false,
            "cancel_requested": false,
            "eta": 1795372698.6,
            "eta_earliest": 1795372697.1,
            "eta_latest": 1795372701.3,
            "created_at": 1795372686.587,
            "started_at": 1795372687.012,
            "updated_at": 1795372691.4,
            "finished_at": null
          }
        ]
      },
      "TaskPage": {
        "type": "object",
        "required": ["tasks", "next_cursor"],
        "properties": {
          "tasks": {"type": "array", "items": {"$ref": "#/components/schemas/Task"}},
          "next_cursor": {
            "type": ["string", "null"],
            "description": "The next page's `cursor`; null on the last page. A page may be short, even empty, and not be the last."
          }
        }
      },
      "TaskRegistration": {
        "type": "object",
        "properties": {
          "task_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "pattern": "^[A-Za-z0-9._:-]+$",
            "description": "Left out: a UUID is made."
          },
          "owner": {"type": ["string", "null"], "maxLength": 128},
          "viewers": {
            "type": ["array", "null"],
            "items": {"type": "string", "minLength": 1, "maxLength": 128},
            "maxItems": 256
          },
          "kind": {"type": ["string", "null"], "maxLength": 128},
          "title": {"type": ["string", "null"], "maxLength": 1024},
          "total": {"type": ["number", "null"]},
          "parent_id": {
            "type": ["string", "null"],
            "description": "The task whose progress this one is a part of, and with which it is cancelled; never itself."
          },
          "weight": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": 1000000000,
            "description": "Its share of the parent's progress, 1 where left out."
          },
          "depends_on": {
            "type": ["array", "null"],
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
            "maxItems": 256
          },
          "lease_seconds": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": 604800,
            "description": "The worker promises to report so often, from its first report on. Missed: the task is `stale`; after `--lease-grace` more it ends with the error code `worker_lost`."
          },
          "metadata": {"description": "Any JSON value."}
        },
        "examples": [
          {
            "task_id": "report-7",
            "owner": "alice",
            "kind": "report",
            "title": "Quarterly report",
            "total": 10
          }
        ]
      },
      "Node": {
        "type": "object",
        "required": ["node_id", "status", "progress", "message", "weight"],
        "properties": {
          "node_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
          "status": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The worker's own word."},
          "progress": {"type": "number", "minimum": 0, "maximum": 100},
          "message": {"type": ["string", "null"]},
          "weight": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000000}
        },
        "description": "A step of a task, as reported last."
      },
      "NodeReport": {
        "type": "object",
        "required": ["status"],
        "properties": {
          "status": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "description": "Any word. `completed` and `skipped` count as 100."
          },
          "progress": {
            "type": ["number", "null"],
            "description": "0 to 100, or -1 on error, which counts what the node had.",
            "anyOf": [{"minimum": 0, "maximum": 100}, {"const": -1}, {"type": "null"}]
          },
          "message": {"type": ["string", "null"]},
          "weight": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": 1000000000,
            "description": "Its share of the task's progress: 1 until one was given."
          }
        },
        "additionalProperties": true,
        "description": "An absent member keeps its value. Further members are passed on in the event.",
        "examples": [{"status": "running", "progress": 40, "message": "page 4", "weight": 2}]
      },
      "LogLine": {
        "type": "object",
        "required": ["log_offset", "level", "message", "timestamp"],
        "properties": {
          "log_offset": {"type": "integer", "minimum": 1, "description": "1, 2, 3 … of its task, beside the events' offsets."},
          "level": {"type": "string", "minLength": 1, "maxLength": 32},
          "message": {"type": "string"},
          "timestamp": {"type": "number", "description": "As published, else when it arrived; Unix seconds."}
        }
      },
      "LogLines": {
        "type": "object",
        "required": ["log_offset", "lines"],
        "properties": {
          "log_offset": {"type": "integer", "minimum": 0, "description": "Of the newest line, 0 where there was none."},
          "lines": {"type": "array", "items": {"$ref": "#/components/schemas/LogLine"}}
        },
        "examples": [
          {
            "log_offset": 12,
            "lines": [{"log_offset": 12, "level": "info", "message": "page 4 of 10", "timestamp": 1795372691.4}]
          }
        ]
      },
      "LogReport": {
        "type": "object",
        "required": ["lines"],
        "properties": {
          "lines": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
              "type": "object",
              "required": ["level", "message"],
              "properties": {
                "level": {"type": "string", "minLength": 1, "maxLength": 32},
                "message": {"type": "string", "description": "At most 65,536 bytes."},
                "timestamp": {"type": ["number", "null"], "description": "Unix seconds; left out: when it arrives."}
              },
              "additionalProperties": true
            }
          }
        },
        "additionalProperties": true,
        "examples": [{"lines": [{"level": "info", "message": "page 4 of 10"}]}]
      },
      "LogReceipt": {
        "type": "object",
        "required": ["log_offset", "cancel_requested"],
        "properties": {
          "log_offset": {"type": "integer", "minimum": 1, "description": "Of the last line."},
          "cancel_requested": {"type": "boolean", "description": "The worker should stop and say so."}
        },
        "examples": [{"log_offset": 12, "cancel_requested": false}]
      },
      "CancelManyRequest": {
        "type": "object",
        "required": ["task_ids"],
        "properties": {
          "task_ids": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
          }
        },
        "additionalProperties": true,
        "examples": [{"task_ids": ["report-7", "report-8"]}]
      },
      "CancelledMany": {
        "type": "object",
        "required": ["cancel_requested", "rejected"],
        "properties": {
          "cancel_requested": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
          },
          "rejected": {
            "type": "array",
            "items": {
              "type": "object",
              "required": ["task_id", "error"],
              "properties": {
                "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
                "error": {"$ref": "#/components/schemas/Problem"}
              }
            }
          }
        }
      },
      "TaskEvent": {
        "type": "object",
        "required": ["type", "offset"],
        "properties": {
          "type": {"type": "string", "enum": ["progress", "node_status", "complete", "error", "cancelled"]},
          "offset": {"type": "integer", "minimum": 1, "description": "1, 2, 3 … without gaps within an epoch."},
          "success": {"type": "boolean", "description": "Of `complete`."},
          "node_id": {"type": "string", "description": "Of `node_status`."},
          "task_progress": {"type": "number", "description": "Of `node_status`: the task's progress by its parts."}
        },
        "additionalProperties": true,
        "description": "One numbered change, with the members that the worker published."
      },
      "TaskEvents": {
        "type": "object",
        "required": ["epoch", "events"],
        "properties": {
          "epoch": {"type": "string"},
          "events": {"type": "array", "items": {"$ref": "#/components/schemas/TaskEvent"}}
        },
        "examples": [
          {
            "epoch": "2kq0v7m4x9c1d5b",
            "events": [{"type": "progress", "offset": 3, "progress": 40, "message": "Rendering page 4"}]
          }
        ]
      },
      "ProgressReport": {
        "type": "object",
        "properties": {
          "progress": {
            "type": "number",
            "description": "0 to 100, or -1 on error. May be left out where `status` is given.",
            "anyOf": [{"minimum": 0, "maximum": 100}, {"const": -1}]
          },
          "status": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": 64,
            "description": "`running` where left out; `processing` is the same. A terminal word ends the task as `complete` or `error` would; any other word is shown while the task runs."
          },
          "current": {"type": ["number", "null"]},
          "total": {"type": ["number", "null"]},
          "message": {"type": ["string", "null"]},
          "details": {"description": "Any JSON value."},
          "result": {"description": "Any JSON value."}
        },
        "anyOf": [{"required": ["progress"]}, {"required": ["status"]}],
        "additionalProperties": true,
        "description": "An absent member keeps its value in the task object, null clears it. Further members are passed on in the event.",
        "examples": [{"progress": 40, "current": 4, "total": 10, "message": "Rendering page 4"}]
      },
      "Completion": {
        "type": "object",
        "properties": {
          "success": {"type": ["boolean", "null"], "default": true, "description": "False: the status is `failed`."},
          "message": {"type": ["string", "null"]},
          "result": {"description": "Any JSON value."}
        },
        "additionalProperties": true,
        "examples": [{"message": "10 pages", "result": {"url": "/reports/7.pdf"}}]
      },
      "Failure": {
        "type": "object",
        "required": ["error"],
        "properties": {
          "error": {"type": "string"},
          "error_code": {"type": ["string", "null"]},
          "details": {"description": "Any JSON value."}
        },
        "additionalProperties": true,
        "examples": [{"error": "the printer is out of paper", "error_code": "no_paper"}]
      },
      "Heartbeat": {
        "type": "object",
        "properties": {
          "user_id": {"type": ["string", "null"], "maxLength": 128},
          "message": {"type": ["string", "null"], "description": "`Task is still executing...` where left out."}
        }
      },
      "CancelRequest": {
        "type": "object",
        "properties": {"user_id": {"type": ["string", "null"], "maxLength": 128}, "reason": {"type": ["string", "null"]}},
        "examples": [{"reason": "not needed any more"}]
      },
      "CancelAcknowledgement": {
        "type": "object",
        "properties": {"message": {"description": "Passed on in the event `cancelled`, as every other member is."}},
        "additionalProperties": true
      },
      "ProgressReceipt": {
        "type": "object",
        "required": ["epoch", "offset", "cancel_requested"],
        "properties": {
          "epoch": {"type": "string"},
          "offset": {"type": "integer", "minimum": 1},
          "cancel_requested": {"type": "boolean"}
        },
        "examples": [{"epoch": "2kq0v7m4x9c1d5b", "offset": 3, "cancel_requested": false}]
      },
      "TerminalReceipt": {
        "type": "object",
        "required": ["epoch", "offset"],
        "properties": {"epoch": {"type": "string"}, "offset": {"type": "integer", "minimum": 1}},
        "examples": [{"epoch": "2kq0v7m4x9c1d5b", "offset": 4}]
      },
      "CancelRequested": {
        "type": "object",
        "required": ["cancel_requested"],
        "properties": {"cancel_requested": {"type": "boolean"}}
      },
      "ExecutionRequest": {
        "type": "object",
        "required": ["workflow_id"],
        "properties": {"workflow_id": {"type": ["string", "number"]}, "input_data": {"description": "Any JSON value."}},
        "examples": [{"workflow_id": "summarise", "input_data": {"document": 12}}]
      },
      "Execution": {
        "type": "object",
        "required": [
          "id",
          "execution_id",
          "status",
          "progress",
          "message",
          "result",
          "error",
          "execution_time",
          "workflow_id",
          "input_data",
          "created_at"
        ],
        "properties": {
          "id": {"type": "string"},
          "execution_id": {"type": "string", "description": "The same as `id`, and the task's id."},
          "status": {
            "type": "string",
            "enum": ["pending", "running", "completed", "failed"],
            "description": "A cancelled one is `failed` with `error` `cancelled`."
          },
          "progress": {"type": "number", "minimum": 0, "maximum": 100},
          "message": {"type": ["string", "null"]},
          "result": {"description": "Any JSON value."},
          "error": {"type": ["string", "null"]},
          "execution_time": {"type": ["number", "null"], "minimum": 0, "description": "Seconds since it runs; null before."},
          "workflow_id": {
            "type": ["string", "number", "null"],
            "description": "As given; null for a task that was not created as an execution."
          },
          "input_data": {"description": "As given; null where left out."},
          "created_at": {"type": "number", "description": "When it was created, Unix seconds."}
        },
        "examples": [
          {
            "id": "7d9f1a52-30e5-4ab6-8c77-0f6f6f0f2b11",
            "execution_id": "7d9f1a52-30e5-4ab6-8c77-0f6f6f0f2b11",
            "status": "pending",
            "progress": 0,
            "message": null,
            "result": null,
            "error": null,
            "execution_time": null,
            "workflow_id": "summarise",
            "input_data": {"document": 12},
            "created_at": 1795372686.587
          }
        ]
      },
      "StepResult": {
        "type": "object",
        "properties": {
          "step": {"description": "Stands in for `step` where that is left out."},
          "result": {"description": "Any JSON value."},
          "completed": {"description": "Read by the seed's clients; not passed on."},
          "message": {"type": ["string", "null"]},
          "status": {"type": ["string", "null"]},
          "error_code": {"type": ["string", "null"]},
          "error_message": {"type": ["string", "null"]}
        },
        "additionalProperties": true
      },
      "ConfirmationRequest": {
        "type": "object",
        "required": ["task_id", "user_id"],
        "properties": {
          "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
          "user_id": {"type": "string", "minLength": 1, "maxLength": 128, "description": "Who is asked."},
          "audience": {
            "enum": ["user", "viewers", null],
            "description": "`viewers`: the task's owner and viewers are asked too, and the first answer of any of them counts. `user` where left out."
          },
          "step": {"description": "A number or a name: any JSON value."},
          "step_result": {
            "description": "What the question is about.",
            "anyOf": [{"$ref": "#/components/schemas/StepResult"}, {"type": "null"}]
          },
          "timeout": {
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": 604800,
            "description": "Seconds until the default is taken; `--callback-timeout` (300) where left out."
          },
          "default_proceed": {
            "type": ["boolean", "null"],
            "description": "What the deadline decides; `--callback-default` (proceed) where left out."
          }
        },
        "examples": [
          {
            "task_id": "report-7",
            "user_id": "alice",
            "step": 2,
            "timeout": 120,
            "default_proceed": false,
            "step_result": {
              "step": "send",
              "result": {"recipients": 240},
              "completed": false,
              "message": "Send to 240 people?",
              "status": "waiting",
              "error_code": null,
              "error_message": null
            }
          }
        ]
      },
      "Confirmation": {
        "type": "object",
        "required": ["callback_id", "status", "deadline", "proceed", "feedback", "resolved_by"],
        "properties": {
          "callback_id": {"type": "string", "format": "uuid"},
          "status": {"type": "string", "enum": ["pending", "confirmed", "rejected", "timed_out", "withdrawn"]},
          "deadline": {"type": "number", "description": "When the default is taken, Unix seconds."},
          "proceed": {
            "type": ["boolean", "null"],
            "description": "The outcome; null while pending and when withdrawn."
          },
          "feedback": {"description": "What the user said to it: any JSON value, null without."},
          "resolved_by": {"enum": ["user", "timeout", "withdrawn", null]}
        },
        "examples": [
          {
            "callback_id": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2",
            "status": "pending",
            "deadline": 1795372986.5,
            "proceed": null,
            "feedback": null,
            "resolved_by": null
          },
          {
            "callback_id": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2",
            "status": "confirmed",
            "deadline": 1795372986.5,
            "proceed": true,
            "feedback": "go ahead",
            "resolved_by": "user"
          }
        ]
      },
      "Message": {
        "type": "object",
        "description": "Any JSON object; it is delivered with its members as they are.",
        "additionalProperties": true
      },
      "Connections": {
        "type": "object",
        "required": ["connections"],
        "properties": {
          "connections": {"type": "integer", "minimum": 0, "description": "The connections that were reached."}
        },
        "examples": [{"connections": 3}]
      },
      "MessageReceipt": {
        "type": "object",
        "required": ["connections", "message_id", "acked"],
        "properties": {
          "connections": {"type": "integer", "minimum": 0},
          "message_id": {
            "type": ["string", "null"],
            "format": "uuid",
            "description": "Null where no acknowledgement was asked for."
          },
          "acked": {
            "type": "boolean",
            "description": "Whether any connection has acknowledged it, where that was asked for."
          },
          "status": {
            "type": "string",
            "enum": ["pending", "acked", "failed"],
            "description": "Where an acknowledgement was asked for. `failed`: nobody acknowledged it, however often it was sent."
          },
          "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 4,
            "description": "How often it was sent, where an acknowledgement was asked for: again every 5 seconds, three times at most."
          }
        },
        "examples": [
          {"connections": 2, "message_id": null, "acked": false},
          {
            "connections": 1,
            "message_id": "0f4f0c4e-5f0e-4c1b-9d63-1b7a2f9c51d2",
            "acked": true,
            "status": "acked",
            "attempts": 1
          }
        ]
      },
      "TicketRequest": {
        "type": "object",
        "properties": {
          "user_id": {
            "type": ["string", "null"],
            "maxLength": 128,
            "description": "For publishers: whom the ticket is for. A user's own token needs none."
          }
        },
        "examples": [{"user_id": "alice"}]
      },
      "Ticket": {
        "type": "object",
        "required": ["ticket", "expires_at"],
        "properties": {
          "ticket": {"type": "string"},
          "expires_at": {"type": "number", "description": "60 s from now, Unix seconds."}
        },
        "examples": [{"ticket": "3w5e11264sgsf-2kq0v7m4x9c1d", "expires_at": 1795372746.6}]
      },
      "PublishOperation": {
        "description": "One line of a bulk publish: `op`, the name, and beside them the members of the single call's body.",
        "oneOf": [
          {
            "type": "object",
            "required": ["op", "task_id"],
            "properties": {
              "op": {"const": "register"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks`."
          },
          {
            "type": "object",
            "required": ["op", "task_id"],
            "properties": {
              "op": {"const": "progress"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
              "progress": {
                "type": "number",
                "description": "0 to 100, or -1 on error. May be left out where `status` is given.",
                "anyOf": [{"minimum": 0, "maximum": 100}, {"const": -1}]
              },
              "status": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 64,
                "description": "`running` where left out; `processing` is the same. A terminal word ends the task as `complete` or `error` would; any other word is shown while the task runs."
              },
              "current": {"type": ["number", "null"]},
              "total": {"type": ["number", "null"]},
              "message": {"type": ["string", "null"]},
              "details": {"description": "Any JSON value."},
              "result": {"description": "Any JSON value."}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/progress`."
          },
          {
            "type": "object",
            "required": ["op", "task_id"],
            "properties": {
              "op": {"const": "complete"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/complete`."
          },
          {
            "type": "object",
            "required": ["op", "task_id", "error"],
            "properties": {
              "op": {"const": "error"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
              "error": {"type": "string"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/error`."
          },
          {
            "type": "object",
            "required": ["op", "task_id"],
            "properties": {
              "op": {"const": "heartbeat"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/heartbeat`."
          },
          {
            "type": "object",
            "required": ["op", "task_id", "node_id", "status"],
            "properties": {
              "op": {"const": "node"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
              "node_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
              "status": {"type": "string", "minLength": 1, "maxLength": 64}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/nodes/{node_id}`."
          },
          {
            "type": "object",
            "required": ["op", "task_id"],
            "anyOf": [{"required": ["lines"]}, {"required": ["level", "message"]}],
            "properties": {
              "op": {"const": "log"},
              "task_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
              "lines": {"type": "array", "minItems": 1, "maxItems": 1000},
              "level": {"type": "string", "minLength": 1, "maxLength": 32},
              "message": {"type": "string"},
              "timestamp": {"type": ["number", "null"]}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/tasks/{task_id}/logs`; a single line may stand beside."
          },
          {
            "type": "object",
            "required": ["op", "user_id"],
            "properties": {
              "op": {"const": "message"},
              "user_id": {"type": "string", "minLength": 1, "maxLength": 128},
              "requires_ack": {"type": ["boolean", "null"]},
              "body": {"type": "object"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/users/{user_id}/messages`; the message stands beside or in `body`."
          },
          {
            "type": "object",
            "required": ["op"],
            "properties": {"op": {"const": "broadcast"}, "body": {"type": "object"}},
            "additionalProperties": true,
            "description": "As `POST /api/v1/broadcast`; the message stands beside or in `body`."
          },
          {
            "type": "object",
            "required": ["op", "channel"],
            "properties": {
              "op": {"const": "channel"},
              "channel": {"type": "string", "minLength": 1, "maxLength": 128},
              "body": {"type": "object"}
            },
            "additionalProperties": true,
            "description": "As `POST /api/v1/channels/{channel}`; the message stands beside or in `body`."
          }
        ]
      },
      "PublishResult": {
        "type": "object",
        "required": ["accepted", "rejected", "cancel_requested"],
        "properties": {
          "accepted": {"type": "integer", "minimum": 0},
          "rejected": {
            "type": "array",
            "items": {
              "type": "object",
              "required": ["line", "error"],
              "properties": {
                "line": {"type": "integer", "minimum": 1, "description": "From 1; blank lines are counted."},
                "error": {"$ref": "#/components/schemas/Problem"}
              }
            }
          },
          "cancel_requested": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9._:-]+$"},
            "description": "Tasks of this body whose workers should stop."
          }
        },
        "examples": [
          {
            "accepted": 2,
            "rejected": [
              {
                "line": 3,
                "error": {
                  "type": "urn:signalbox:problem:task_finished",
                  "code": "task_finished",
                  "title": "The task has finished",
                  "status": 409,
                  "detail": "task report-6 is completed since 1795372600.1"
                }
              }
            ],
            "cancel_requested": ["report-7"]
          }
        ]
      }
    },
    "responses": {
      "BadRequest": {
        "description": "A value is missing or wrong: `detail` names the field, the value and the rule.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:bad_request",
              "code": "bad_request",
              "title": "Bad request",
              "status": 400,
              "detail": "progress is 140, must be a number from 0 to 100, or -1"
            }
          }
        }
      },
      "Unauthorized": {
        "description": "No credentials, or none that are valid.",
        "headers": {"WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}}},
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:unauthorized",
              "code": "unauthorized",
              "title": "Credentials are missing or wrong",
              "status": 401,
              "detail": "this call needs Authorization: Bearer with an API key or a token"
            }
          }
        }
      },
      "Forbidden": {
        "description": "The credentials are valid and not enough.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:forbidden",
              "code": "forbidden",
              "title": "Not allowed",
              "status": 403,
              "detail": "this call is for publishers, the token is a user's"
            }
          }
        }
      },
      "NotFound": {
        "description": "There is no such object, or it is no longer kept.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:not_found",
              "code": "not_found",
              "title": "Not found",
              "status": 404,
              "detail": "there is no such confirmation"
            }
          }
        }
      },
      "TaskNotFound": {
        "description": "There is no such task.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:task_not_found",
              "code": "task_not_found",
              "title": "Task not found",
              "status": 404,
              "detail": "task report-8 is unknown"
            }
          }
        }
      },
      "MethodNotAllowed": {
        "description": "The path is served, the method is not.",
        "headers": {"Allow": {"description": "The methods that the path serves.", "schema": {"type": "string"}}},
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:method_not_allowed",
              "code": "method_not_allowed",
              "title": "Method not allowed",
              "status": 405,
              "detail": "this path allows GET, HEAD"
            }
          }
        }
      },
      "TaskFinished": {
        "description": "The task has a terminal status, which is final.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:task_finished",
              "code": "task_finished",
              "title": "The task has finished",
              "status": 409,
              "detail": "task report-7 is completed since 1795372701.2"
            }
          }
        }
      },
      "AlreadyResolved": {
        "description": "The confirmation is resolved, which is final.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:already_resolved",
              "code": "already_resolved",
              "title": "The confirmation is resolved",
              "status": 409,
              "detail": "the confirmation is confirmed since 1795372701.2"
            }
          }
        }
      },
      "PayloadTooLarge": {
        "description": "The body is larger than `--max-request-bytes` (1 MiB). The connection is closed.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:payload_too_large",
              "code": "payload_too_large",
              "title": "The body is too large",
              "status": 413,
              "detail": "the body is larger than 1048576 bytes"
            }
          }
        }
      },
      "UnsupportedMediaType": {
        "description": "The body has another `Content-Type` than the one described.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:unsupported_media_type",
              "code": "unsupported_media_type",
              "title": "Unsupported media type",
              "status": 415,
              "detail": "the Content-Type must be application/json"
            }
          }
        }
      },
      "IdempotencyMismatch": {
        "description": "The `Idempotency-Key` was used with another body.",
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:idempotency_mismatch",
              "code": "idempotency_mismatch",
              "title": "The idempotency key was used with another body",
              "status": 422,
              "detail": "this Idempotency-Key was used with another body; use a fresh key for another request"
            }
          }
        }
      },
      "Unavailable": {
        "description": "The store takes no changes (`store_unavailable`), or the node is full (`over_capacity`). Nothing was changed: try again later.",
        "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}},
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:store_unavailable",
              "code": "store_unavailable",
              "title": "The store is unavailable",
              "status": 503,
              "detail": "the store signalbox.db cannot be written (database or disk is full): make room on the disk"
            }
          }
        }
      },
      "OverCapacity": {
        "description": "The node is full, or has more work than it can do: try again later.",
        "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}},
        "content": {
          "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
              "type": "urn:signalbox:problem:over_capacity",
              "code": "over_capacity",
              "title": "This node is full",
              "status": 503,
              "detail": "this node has more work than it can do, try again"
            }
          }
        }
      },
      "Problem": {
        "description": "Any other problem of a request: 405, 408, 414, 417, 426, 431, 500, 501 or 505.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
      }
    }
  }
}

"""###
