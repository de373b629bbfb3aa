//! What each function of the contract that a driver can call needs.
//!
//! The table is whole: a test reads the contract and fails where a function is missing here, and the
//! tests try every row with the grant, without it, after it was taken back, and under policies.

/// A function of the contract.
pub struct Function {
    /// As a trace names it: `container.create`.
    pub name: &'static str,
    /// What calling it takes.
    pub needs: Needs,
}

/// What calling a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it reaches no engine and no network, or only through a handle that took its grant.
    Nothing,
    /// That the object is the node's own. To look at it, stop it and remove it takes no grant, or
    /// nobody could clean up once a grant was taken back.
    Own,
    /// That the object is the node's own, and, for each thing that it is to have, that capability.
    Creation(&'static [&'static str]),
    /// That the object is the node's own, and what creating it would take, as it is by now.
    Use(&'static [&'static str]),
    /// That capability, for what the call names.
    Grant(&'static str),
}

/// What a container can have that takes a grant.
const CONTAINER: &[&str] = &[
    "container.create",
    "container.privileged",
    "container.command",
    "container.bind",
    "container.devices",
    "container.network",
    "container.cgroup-parent",
];

const fn function(name: &'static str, needs: Needs) -> Function {
    Function { name, needs }
}

/// All functions that a driver can import.
pub const FUNCTIONS: &[Function] = &[
    function("log.enabled", Needs::Nothing),
    function("log.write", Needs::Nothing),
    function("task.new", Needs::Nothing),
    function("task.child", Needs::Nothing),
    function("task.write", Needs::Nothing),
    function("task.status", Needs::Nothing),
    function("task.finish", Needs::Nothing),
    function("clock.now", Needs::Nothing),
    function("clock.sleep", Needs::Nothing),
    function("clock.remaining", Needs::Nothing),
    function("transport.dial-tcp", Needs::Grant("transport.tcp")),
    function("transport.dial-local", Needs::Grant("transport.local")),
    function("connection.read", Needs::Grant("transport.bytes")),
    function("connection.write", Needs::Grant("transport.bytes")),
    function("connection.finish", Needs::Grant("transport.bytes")),
    function("client.open", Needs::Nothing),
    function("client.version", Needs::Nothing),
    function("client.workers", Needs::Nothing),
    function("session.current", Needs::Nothing),
    function("session.id", Needs::Nothing),
    function("session.headers", Needs::Nothing),
    function("session.attach", Needs::Nothing),
    function("engine.inspect", Needs::Nothing),
    function("engine.open", Needs::Grant("engine.open")),
    function("image.resolve", Needs::Grant("image.pull")),
    function("container.create", Needs::Creation(CONTAINER)),
    function("container.find", Needs::Own),
    function("container.list-all", Needs::Own),
    function("container.inspect", Needs::Own),
    function("container.stop", Needs::Own),
    function("container.remove", Needs::Own),
    function("container.forward-logs", Needs::Own),
    function("container.last-logs", Needs::Own),
    function("container.start", Needs::Use(CONTAINER)),
    function("container.copy-in", Needs::Use(CONTAINER)),
    function("container.run", Needs::Use(CONTAINER)),
    function("container.dial", Needs::Use(CONTAINER)),
    function("container.stop-when-idle", Needs::Use(CONTAINER)),
    function("volume.create", Needs::Creation(&["container.bind"])),
    function("volume.find", Needs::Own),
    function("volume.list-all", Needs::Own),
    function("volume.inspect", Needs::Own),
    function("volume.remove", Needs::Own),
    function("network.create", Needs::Creation(&["container.network"])),
    function("network.find", Needs::Own),
    function("network.list-all", Needs::Own),
    function("network.inspect", Needs::Own),
    function("network.connect", Needs::Use(CONTAINER)),
    function("network.disconnect", Needs::Own),
    function("network.remove", Needs::Own),
];
