"""Paramiko as a client: `paramiko_client.py PORT USER KEY ECHO_PORT TRIAL…`. Says what it has tried; fails by exception."""

import os
import socket
import sys
import tempfile
import threading

import paramiko

PORT, USER, KEY, ECHO = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
DATA = os.urandom(1 << 20)


def through(stream):
    """Sends everything, ends, and expects everything back."""

    def send():
        stream.sendall(DATA)
        stream.shutdown(socket.SHUT_WR) if isinstance(stream, socket.socket) else stream.shutdown_write()

    sender = threading.Thread(target=send)
    sender.start()
    got = bytearray()
    while piece := stream.recv(65536):
        got += piece
    sender.join()
    stream.close()
    assert bytes(got) == DATA, f"{len(got)} bytes of {len(DATA)}"


def commands(client):
    stdin, stdout, stderr = client.exec_command("echo out; echo err >&2; exit 7")
    assert (stdout.read(), stderr.read()) == (b"out\n", b"err\n")
    assert stdout.channel.recv_exit_status() == 7
    _, stdout, _ = client.exec_command("stty size", get_pty=True)
    assert stdout.read().strip() == b"24 80"


def local_forward(client):
    for _ in range(3):
        through(client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", ECHO), ("127.0.0.1", 9)))
    try:
        client.get_transport().open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 9))
    except paramiko.ChannelException as error:
        assert error.code == 2, error
    else:
        raise AssertionError("nobody listens there")


def remote_forward(client):
    """The channel's end here is the echo itself."""

    def serve(channel, _origin, _server):
        def echo():
            while piece := channel.recv(65536):
                channel.sendall(piece)
            channel.shutdown_write()

        threading.Thread(target=echo, daemon=True).start()

    transport = client.get_transport()
    for address in ("127.0.0.1", "localhost", ""):
        port = transport.request_port_forward(address, 0, serve)
        through(socket.create_connection(("127.0.0.1", port)))
        transport.cancel_port_forward(address, port)
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError("still listening after the cancel")


def files(client):
    with client.open_sftp() as sftp, tempfile.TemporaryDirectory() as folder:
        with sftp.open(f"{folder}/file", "wb") as file:
            file.write(DATA)
        with sftp.open(f"{folder}/file", "rb") as file:
            assert file.read() == DATA


def rekeyed(client):
    transport = client.get_transport()
    channel = transport.open_channel("direct-tcpip", ("127.0.0.1", ECHO), ("127.0.0.1", 9))
    transport.renegotiate_keys()
    through(channel)


client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", PORT, USER, key_filename=KEY, allow_agent=False, look_for_keys=False)
for name in sys.argv[5:]:
    globals()[name](client)
    print(name, flush=True)
client.close()
