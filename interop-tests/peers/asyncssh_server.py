"""A forwarding server made of AsyncSSH: `asyncssh_server.py PORT FOLDER`."""

import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    """Lets every authenticated user forward in both directions."""

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        return True

    def server_requested(self, listen_host, listen_port):
        return True


async def serve(port, folder):
    await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Server,
        server_host_keys=[f"{folder}/host-ed25519-256"],
        authorized_client_keys=f"{folder}/authorized_keys",
    )
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
