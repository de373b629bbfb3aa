"""BuildKit in a container of the engine, its cache in a volume.

`describe`, `priority` and `validate` say what the driver is and check options; a `Node` is one node of a builder.
All that a driver can do is call the host, through `wit_world.imports`: containers, volumes, images, time.
What the host refuses or cannot do is raised as `Err`; one that nobody catches is what the user reads. An
operation that fails leaves nothing behind: the host removes what it created.
"""

from componentize_py_types import Err
from iechor_driver import MILLISECOND, SECOND, Reader, ignore_missing, option, request, step, wait_for_buildkit, words
from iechor_values import image_reference
from wit_world import exports
from wit_world.exports import driver
from wit_world.imports import clock, container, engine, image, progress, transport, types, volume
from wit_world.imports.buildkit_session import Client
from wit_world.imports.container import Container
from wit_world.imports.volume import Volume

READY_WITHIN = 90 * SECOND
JOIN_WITHIN = 10 * SECOND
LOOK_AGAIN = 20 * MILLISECOND
# Declared here, and read by `Options`.
OPTIONS = [
    option("image", driver.OptionKind_Text(), "Image that BuildKit runs from", "moby/buildkit:buildx-stable-1"),
    option("memory", driver.OptionKind_Size(), "Memory that the container may use"),
    option("default-load", driver.OptionKind_Boolean(), "Load results into the engine", "false"),
    option("env", driver.OptionKind_Table(), "Environment variable of BuildKit, as env.NAME=VALUE"),
]
# What a container's state says of the node; any other is that of one that has stopped.
STATUSES = {
    container.Status.RUNNING: driver.Status.RUNNING,
    container.Status.PAUSED: driver.Status.RUNNING,
    container.Status.RESTARTING: driver.Status.STARTING,
    container.Status.REMOVING: driver.Status.STOPPING,
}


class Driver(exports.Driver):
    def describe(self) -> driver.Descriptor:
        return driver.Descriptor(
            name="python-container",
            version="0.1.0",
            summary="BuildKit in a container of the engine, its cache in a volume",
            vendor=None,
            homepage=None,
            license=None,
            multi_node=True,
            options=OPTIONS,
            capabilities=[
                request("container.privileged", "BuildKit mounts file systems and starts containers of its own"),
                request("image.pull", "the image that BuildKit runs from"),
                request("engine.load", "the option default-load loads results into the engine", required=False),
            ],
        )

    def priority(self, endpoint: str) -> int | None:
        return 50 if endpoint else None

    def validate(self, config: driver.Config) -> list[driver.Issue]:
        return Options(config).issues


class Options(Reader):
    """The options of a node, read and checked."""

    def __init__(self, config: driver.Config):
        super().__init__(config, OPTIONS)
        self.image = self.text("image", image_reference)
        self.memory = self.size("memory")
        self.default_load = self.boolean("default-load")
        self.env = self.table("env")
        if self.memory is not None and self.memory < 64 << 20:
            self.refuse("memory", "BuildKit needs 64m at least")
        for name, value in self.env:
            if "=" in name or "\0" in name + value:
                self.refuse(f"env.{name}", "a name has no '=', and neither part a NUL")


class Node(driver.Node):
    """One node. It holds its configuration; what is true of it now is in the engine."""

    def __init__(self, config: driver.Config):
        self.config = config
        self.options = Options(config)
        self.name = f"buildx_buildkit_{config.name}"
        self.state = f"{self.name}_state"

    @classmethod
    def open(cls, config: driver.Config) -> "Node":
        node = cls(config)
        node.options.check()
        return node

    def info(self) -> driver.Info:
        inactive = driver.Info(driver.Status.INACTIVE, run=None, extra=[])
        found = Container.find(self.name)
        if found is None:
            return inactive
        try:
            seen = found.inspect()
        except Err as error:
            # Gone between the two questions.
            if isinstance(error.value, types.Error_NotFound):
                return inactive
            raise
        return driver.Info(STATUSES.get(seen.status, driver.Status.STOPPED), run=seen.run, extra=[])

    def boot(self) -> None:
        found = Container.find(self.name)
        if found is None:
            found = self.make()
        elif not is_running(found):
            step(f"starting container {self.name}", lambda _: found.start())
        wait_until_ready(found)
        print("BuildKit answers in", self.name)

    def make(self) -> Container:
        def find_image(task: progress.Task) -> str:
            return image.resolve(self.options.image, None, image.Pull.IF_MISSING, task).reference

        reference = step(f"finding image {self.options.image}", find_image)
        try:
            return step(f"creating container {self.name}", lambda _: self.create(reference))
        except Err as error:
            if isinstance(error.value, types.Error_AlreadyExists):
                return self.join()
            raise

    def create(self, reference: str) -> Container:
        self.make_state()
        files = self.config.files
        command = list(self.config.buildkitd_flags)
        if any(file.path == "buildkitd.toml" for file in files):
            command = ["--config", "/etc/buildkit/buildkitd.toml", *command]
        made = Container.create(
            container.Spec(
                name=self.name,
                image=reference,
                command=command,
                env=self.options.env,
                labels=[],
                mounts=[
                    container.Mounted("/var/lib/buildkit", container.MountSource_Volume(self.state), read_only=False)
                ],
                network=None,
                privileged=True,
                init=True,  # reaps what BuildKit's own containers leave behind
                host_user_namespace=engine.inspect().user_namespaces,
                gpus=None,
                restart=container.RestartPolicy_UnlessStopped(),
                limits=container.Limits(self.options.memory, None, None, None, None, None, None, None),
                extra=[],
            )
        )
        if files:
            # They have no contents here: the host fills them in where BuildKit looks for them.
            made.copy_in("/etc", [types.File(f"buildkit/{file.path}", file.mode, file.contents) for file in files])
        made.start()
        return made

    def make_state(self) -> None:
        if Volume.find(self.state) is not None:
            return
        try:
            Volume.create(volume.Spec(self.state, driver=None, driver_options=[], labels=[]))
        except Err as error:
            # Another process has just made it.
            if not isinstance(error.value, types.Error_AlreadyExists):
                raise

    def join(self) -> Container:
        """Another process boots this node, and was quicker: waits until it has started the container, and starts it
        where nobody does."""
        deadline = clock.now() + JOIN_WITHIN
        while True:
            found = Container.find(self.name)
            if found is not None and is_running(found):
                return found
            if clock.now() >= deadline:
                if found is None:
                    raise Err(types.Error_Unavailable(f"another process creates {self.name}, and it does not turn up"))
                found.start()
                return found
            clock.sleep(LOOK_AGAIN)

    def dial(self) -> transport.Connection:
        found = Container.find(self.name)
        if found is None:
            raise Err(types.Error_NotRunning())
        return dial(found)

    def version(self) -> str:
        return Client.open(self.dial()).version().version

    def features(self) -> list[driver.Feature]:
        features: list[driver.Feature] = [
            driver.Feature_OciExporter(),
            driver.Feature_DockerExporter(),
            driver.Feature_CacheExport(),
            driver.Feature_MultiPlatform(),
            driver.Feature_DirectPush(),
        ]
        if self.options.default_load:
            features.append(driver.Feature_DefaultLoad())
        return features

    def stop(self, options: driver.StopOptions) -> None:
        found = Container.find(self.name)
        if found is not None:
            ignore_missing(lambda: found.stop(options.grace))

    def remove(self, options: driver.RemoveOptions) -> None:
        if options.keep_daemon:
            return
        found = Container.find(self.name)
        if found is not None:
            ignore_missing(lambda: found.remove(force=True))
        state = None if options.keep_state else Volume.find(self.state)
        if state is not None:
            ignore_missing(lambda: state.remove(options.force))

    def host_gateway(self) -> str:
        raise Err(types.Error_Unsupported("this driver does not know the host's address"))


def is_running(found: Container) -> bool:
    return found.inspect().status == container.Status.RUNNING


def dial(found: Container) -> transport.Connection:
    """Connects to the BuildKit in a container. The host speaks on the connection: no byte of it passes here."""
    try:
        return found.dial(container.ExecSpec(["buildctl", "dial-stdio"], env=[], user=None, workdir=None), None)
    except Err as error:
        if isinstance(error.value, (types.Error_Conflict, types.Error_NotFound)):
            raise Err(types.Error_NotRunning())
        raise


def wait_until_ready(found: Container) -> None:
    """Waits until BuildKit answers; a container that ends meanwhile ends the wait."""
    restarts = found.inspect().restart_count

    def check_alive() -> None:
        now = found.inspect()
        if now.status != container.Status.RUNNING or now.restart_count > restarts:
            ended = f"its container ended, exit code {now.exit_code} {now.error or ''}".rstrip()
            raise Err(types.Error_Unavailable(f"BuildKit does not answer: {ended}"))

    try:
        wait_for_buildkit(READY_WITHIN, lambda: dial(found), check_alive)
    except Err as error:
        if not isinstance(error.value, types.Error_Unavailable):
            raise
        log = "".join(f"\n  {line}" for line in found.last_logs(10))
        raise Err(types.Error_Unavailable(f"{words(error.value)}; the end of its log:{log}"))
