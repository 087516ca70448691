"""Who is alerted by `staithe watch`: a server of the test's own, and what PagerDuty's Events API v2 takes."""
import contextlib
import datetime
import http.server
import json
import threading

# https://developer.pagerduty.com/docs/send-alert-event: what an event may have, and of what kind it is.
EVENT = {"routing_key": str, "event_action": str, "dedup_key": str, "payload": dict, "client": str, "client_url": str,
         "links": list, "images": list}
PAYLOAD = {"summary": str, "source": str, "severity": str, "timestamp": str, "component": str, "group": str, "class": str,
           "custom_details": dict}


def wrong_in(event):
    """What PagerDuty would not take, in words."""
    payload = event.get("payload", {})
    wrong = [f"{name} is unknown or no {kinds.get(name)}" for part, kinds in ((event, EVENT), (payload, PAYLOAD))
             for name, value in part.items() if not isinstance(value, kinds.get(name, ()))]
    if len(event.get("routing_key", "")) != 32:
        wrong.append("routing_key has not 32 characters")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        wrong.append("event_action")
    if not 0 < len(event.get("dedup_key", "")) <= 255:
        wrong.append("dedup_key has not 1 to 255 characters")
    if event.get("event_action") == "trigger":
        if not 0 < len(payload.get("summary", "")) <= 1024:
            wrong.append("summary has not 1 to 1024 characters")
        if not payload.get("source"):
            wrong.append("no source")
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            wrong.append("severity")
        if "timestamp" in payload:
            datetime.datetime.fromisoformat(payload["timestamp"].replace("Z", "+00:00"))
    for link in event.get("links", []):
        if not link.get("href"):
            wrong.append("a link to nowhere")
    return wrong


def as_pagerduty(body):
    """(status, text) as the Events API answers."""
    try:
        wrong = wrong_in(json.loads(body))
    except (ValueError, AttributeError, TypeError) as error:
        wrong = [str(error)]
    if len(body) > 512 * 1024:
        wrong.append("larger than 512 KB")
    if wrong:
        return 400, json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": wrong})
    return 202, json.dumps({"status": "success", "message": "Event processed"})


class Server:
    """An HTTP server of the test's own. `answer(method, path, body)` gives (status, text), and may take its time."""

    def __init__(self, answer):
        self.seen = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def reply(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                status, text = answer(self.command, self.path, body)
                # What was answered counts: a client that is gone has not heard it.
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text.encode())
                    seen.append((status, self.command, self.path, body))

            do_GET = do_POST = do_DELETE = reply

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
