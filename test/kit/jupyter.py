"""What tests need of a client of Jupyter's: a kernel by its name, requests with their answers and what is published."""
import time
from jupyter_client import KernelManager


def start():
    manager = KernelManager(kernel_name='fgnb')
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return manager, client


def published(client, msg_id, until='idle', timeout=30):
    """Messages about a request, up to its end or up to a type of message."""
    found = []
    end = time.time() + timeout
    while time.time() < end:
        message = client.get_iopub_msg(timeout=timeout)
        if message['parent_header'].get('msg_id') != msg_id:
            continue
        found.append(message)
        kind = message['msg_type']
        if kind == until or (kind == 'status' and message['content']['execution_state'] == until):
            return found
    raise TimeoutError(f'no {until} for {msg_id}')


def answer(client, msg_id, channel='shell', timeout=30):
    get = client.get_shell_msg if channel == 'shell' else client.get_control_msg
    while True:
        message = get(timeout=timeout)
        if message['parent_header'].get('msg_id') == msg_id:
            return message


def run(client, code, **how):
    """Runs a cell: its reply, and [type, content] of what was published."""
    msg_id = client.execute(code, **how)
    shown = [[m['msg_type'], m['content']] for m in published(client, msg_id)]
    return answer(client, msg_id)['content'], [s for s in shown if s[0] not in ('status', 'execute_input')]


def ask(client, kind, content=None, channel='shell'):
    """The reply to a message of any type."""
    socket = client.shell_channel if channel == 'shell' else client.control_channel
    message = client.session.msg(kind, content or {})
    socket.send(message)
    return answer(client, message['header']['msg_id'], channel)
