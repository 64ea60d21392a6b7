"""AsyncSSH as a client: `asyncssh_client.py PORT USER KEY ECHO_PORT TRIAL…`. Says what it has tried; fails by exception."""

import asyncio
import os
import sys
import tempfile

import asyncssh

PORT, USER, KEY, ECHO = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
OPTIONS = dict(username=USER, known_hosts=None, config=None, agent_path=None)
DATA = os.urandom(1 << 20)


async def through(port):
    """Sends everything, ends, and expects everything back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send():
        writer.write(DATA)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    got = await reader.read(-1)
    await sending
    writer.close()
    assert got == DATA, f"{len(got)} bytes of {len(DATA)}"


async def commands(connection):
    result = await connection.run("echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.exit_status) == ("out\n", "err\n", 7), result
    result = await connection.run("wc -c", input="x" * 3_000_000)
    assert result.stdout.strip() == "3000000", result.stdout
    result = await connection.run("kill -TERM $$")
    assert result.exit_signal[0] == "TERM", result.exit_signal


async def signals(connection):
    for signal, number in (("TERM", 15), ("INT", 2), ("USR1", 10)):
        process = await connection.create_process(
            f"trap 'echo caught {number}; exit 5' {number}; echo ready; while :; do sleep 0.05; done"
        )
        assert await process.stdout.readline() == "ready\n"
        process.send_signal(signal)
        assert await process.stdout.readline() == f"caught {number}\n"
        result = await process.wait()
        assert result.exit_status == 5, result
    process = await connection.create_process("exec sleep 1000")
    process.kill()
    result = await process.wait()
    assert result.exit_signal and result.exit_signal[0] == "KILL", result


async def terminals(connection):
    process = await connection.create_process(
        "stty -echo; echo ready; while read line; do stty size; done", term_type="xterm", term_size=(77, 33)
    )
    assert (await process.stdout.readline()).strip() == "ready"
    process.stdin.write("\n")
    assert (await process.stdout.readline()).strip() == "33 77"
    process.change_terminal_size(100, 40)
    process.stdin.write("\n")
    assert (await process.stdout.readline()).strip() == "40 100"
    process.stdin.write("\x04")
    result = await process.wait()
    assert result.exit_status == 0, result


async def forwards(connection):
    listener = await connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", ECHO)
    await asyncio.gather(*(through(listener.get_port()) for _ in range(8)))
    listener.close()
    for host in ("127.0.0.1", "localhost", ""):
        remote = await connection.forward_remote_port(host, 0, "127.0.0.1", ECHO)
        await asyncio.gather(*(through(remote.get_port()) for _ in range(4)))
        remote.close()
        await remote.wait_closed()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/in"
        remote = await connection.forward_remote_path_to_port(path, "127.0.0.1", ECHO)
        local = await connection.forward_local_port_to_path("127.0.0.1", 0, path)
        await through(local.get_port())
        remote.close()
        local.close()
    try:
        await connection.open_connection("127.0.0.1", 1)
    except asyncssh.ChannelOpenError as error:
        assert error.code == asyncssh.OPEN_CONNECT_FAILED, error
    else:
        raise AssertionError("nobody listens there")


async def files(connection):
    async with connection.start_sftp_client() as sftp:
        with tempfile.TemporaryDirectory() as folder:
            async with sftp.open(f"{folder}/file", "wb") as file:
                await file.write(DATA)
            async with sftp.open(f"{folder}/file", "rb") as file:
                assert await file.read() == DATA


async def rekeyed(_connection):
    async with connect(rekey_bytes=200_000) as connection:
        await forwards(connection)


async def denied(_connection):
    try:
        await asyncssh.connect("127.0.0.1", PORT, client_keys=None, **OPTIONS)
    except asyncssh.PermissionDenied:
        return
    raise AssertionError("let in without a key")


def connect(**options):
    return asyncssh.connect("127.0.0.1", PORT, client_keys=[KEY], **OPTIONS, **options)


async def main():
    async with connect() as connection:
        for name in sys.argv[5:]:
            await globals()[name](connection)
            print(name, flush=True)


asyncio.run(main())
