"""A driver for a BuildKit that is managed elsewhere, at unix:///PATH, as an author could write it from the template."""

from componentize_py_types import Err
from iechor_driver import SECOND, Reader, request, step, wait_for_buildkit
from wit_world import exports
from wit_world.exports import driver
from wit_world.imports import transport, types
from wit_world.imports.buildkit_session import Client

SCHEME = "unix://"


class Driver(exports.Driver):
    def describe(self) -> driver.Descriptor:
        return driver.Descriptor(
            name="elsewhere",
            version="0.1.0",
            summary="A BuildKit that runs already, at unix:///PATH",
            vendor=None,
            homepage=None,
            license=None,
            multi_node=True,
            options=[],
            capabilities=[request("transport.local", "BuildKit is there", scope=["endpoint"])],
        )

    def priority(self, endpoint: str) -> int | None:
        return None

    def validate(self, config: driver.Config) -> list[driver.Issue]:
        return Options(config).issues


class Options(Reader):
    def __init__(self, config: driver.Config):
        super().__init__(config, [])
        self.path = config.endpoint.removeprefix(SCHEME)
        if not config.endpoint.startswith(SCHEME):
            self.refuse(None, f"{config.endpoint!r} is not unix:///PATH")
        if config.buildkitd_flags or config.files:
            self.refuse(None, "flags and files of BuildKit are for whoever starts it")


class Node(driver.Node):
    def __init__(self, config: driver.Config):
        self.options = Options(config)

    @classmethod
    def open(cls, config: driver.Config) -> "Node":
        node = cls(config)
        node.options.check()
        return node

    def connect(self) -> transport.Connection:
        return transport.dial_local(self.options.path)

    def info(self) -> driver.Info:
        try:
            status = driver.Status.RUNNING if Client.open(self.connect()).workers() else driver.Status.STARTING
        except Err as error:
            if not isinstance(error.value, types.Error_Unavailable):
                raise
            status = driver.Status.INACTIVE
        return driver.Info(status, run=None, extra=[])

    def boot(self) -> None:
        def wait(_: object) -> None:
            wait_for_buildkit(10 * SECOND, self.connect, lambda: None)

        step(f"waiting for BuildKit at {self.options.path}", wait)

    def dial(self) -> transport.Connection:
        try:
            return self.connect()
        except Err as error:
            if isinstance(error.value, types.Error_Unavailable):
                raise Err(types.Error_NotRunning())
            raise

    def version(self) -> str:
        return Client.open(self.dial()).version().version

    def features(self) -> list[driver.Feature]:
        return [driver.Feature_OciExporter(), driver.Feature_DockerExporter()]

    def stop(self, options: driver.StopOptions) -> None:
        pass

    def remove(self, options: driver.RemoveOptions) -> None:
        pass

    def host_gateway(self) -> str:
        raise Err(types.Error_Unsupported("this driver does not know the host's address"))
