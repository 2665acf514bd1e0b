"""A child for the tests: behaves like llama-server as far as a supervisor can see."""
import argparse, os, select, signal, socket, subprocess, sys, time

options = argparse.ArgumentParser()
options.add_argument("--host", required=True)
options.add_argument("--port", type=int)
options.add_argument("--gate", help="loads until this file exists")
options.add_argument("--steps", type=int, default=0, help="loading events (or lines) of 20 ms each")
options.add_argument("--busy", action="store_true", help="answers 503 for ever")
options.add_argument("--deaf", action="store_true", help="never listens")
options.add_argument("--garble", action="store_true", help="writes a ready event that cannot be read")
options.add_argument("--broken", action="store_true", help="answers 500 to all but GET")
options.add_argument("--ignore-terms", type=int, default=0, help="SIGTERMs that have no effect")
options.add_argument("--stdin", action="store_true", help="tells about stdin once loaded")
options.add_argument("--heed-stdin", action="store_true", help="ends at the end of stdin once loaded, where states are reported")
options.add_argument("--grandchild", help="starts a process and writes its pid here")
options.add_argument("--flood", type=int, default=0, help="KiB of output before it listens")
options = options.parse_args()


def say(text):
    try:
        os.write(2, (text + "\n").encode())
    except OSError:
        pass  # The end of the parent is no reason to end: that is the supervisor's affair.


def report(text):
    if "LLAMA_SERVER_ROUTER_PORT" in os.environ:
        os.write(1, ("cmd_child_to_router:state:" + text + "\n").encode())


def on_term(number, frame):
    """The first SIGTERM that counts is graceful: where states are reported, stdin has a say, too."""
    global terms
    terms += 1
    say("got SIGTERM")
    if terms <= options.ignore_terms:
        return
    if terms == options.ignore_terms + 1 and not loading and "LLAMA_SERVER_ROUTER_PORT" in os.environ:
        os._exit(0 if b"cmd_router_to_child:exit\n" in os.read(0, 1000) else 1)
    os._exit(0)


terms, loading = 0, True


signal.signal(signal.SIGTERM, on_term)
if options.grandchild:
    sleeper = subprocess.Popen(["sleep", "1000"])
    with open(options.grandchild + ".new", "w") as file:
        file.write(str(sleeper.pid))
    os.rename(options.grandchild + ".new", options.grandchild)
for _ in range(options.flood):
    os.write(1, b"o" * 1023 + b"\n")
    os.write(2, b"e" * 1024)

say("loading")
report('{"state":"loading","payload":{"stages":["text_model"],"current":"text_model","value":0.5}}')
listener = None
if not options.deaf:
    if options.port:
        listener = socket.create_server((options.host, options.port))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(options.host)
        listener.listen()

step_at = time.monotonic()
while True:
    readable, _, _ = select.select([listener] if listener else [], [], [], 0.005)
    for _ in readable:
        connection, _ = listener.accept()
        busy = loading or options.busy
        try:
            request = connection.recv(1000)
            broken = options.broken and not request.startswith(b"GET")
            status = b"503 Busy" if busy else b"500 Broken" if broken else b"200 OK"
            connection.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")
        except OSError:
            pass  # A probe that is not waited for any more has closed its end.
        connection.close()
        say("asked while loading" if loading else "asked")
    if loading and options.steps and time.monotonic() - step_at > 0.02:
        step_at, options.steps = time.monotonic(), options.steps - 1
        say("step")
        report('{"state":"loading","payload":{"value":0.75}}')
    gate_open = not options.gate or os.path.exists(options.gate)
    if loading and gate_open and not options.steps:
        loading = False
        say("loaded")
        if options.stdin:
            ended, _, _ = select.select([0], [], [], 0.05)
            say("stdin has ended" if ended else "stdin is open")
        if options.heed_stdin and "LLAMA_SERVER_ROUTER_PORT" in os.environ:
            report('{"state":"ready","payload":{"id":"m"}}')
            if select.select([0], [], [], 0.05)[0] and not os.read(0, 1):
                say("EOF on stdin detected, forcing shutdown...")
                os._exit(1)
        report('{"state":"ready' if options.garble else '{"state":"ready","payload":{"id":"m"}}')
