//! The budgets of a driver.
//!
//! They are generous for a useful driver. wasmtime enforces memory, handles and processor time; the
//! capabilities count the rest.

use std::time::Duration;

/// Largest component file, in bytes. A Python driver with its interpreter has about 18 MiB.
pub const COMPONENT_BYTES: u64 = 64 << 20;
/// Maximum memory for compiling a component, in bytes, in addition to the program itself. Python with its
/// interpreter takes 390 MiB.
pub const COMPILER_MEMORY: u64 = 1 << 30;
/// Maximum processor time that it takes, of all threads together. Python takes 12 s.
pub const COMPILER_PROCESSOR: Duration = Duration::from_secs(120);
/// Maximum wall time that it takes: on a machine that is busy with other things, too.
pub const COMPILER_WALL: Duration = Duration::from_secs(300);
/// Maximum number of threads that compile: each takes memory for itself.
pub const COMPILER_THREADS: usize = 4;
/// Maximum number of bytes of machine code that a component becomes.
pub const MACHINE_CODE_BYTES: usize = 256 << 20;
/// Maximum number of bytes of what the compiler says about a component that are kept.
pub const COMPILER_WORDS: usize = 16 << 10;
/// Maximum number of bytes of all linear memories of a driver together.
pub const MEMORY_BYTES: usize = 256 << 20;
/// Maximum number of linear memories.
pub const MEMORIES: usize = 8;
/// Maximum number of core instances; a component of one language runtime has about five.
pub const INSTANCES: usize = 64;
/// Maximum number of functions of all modules of a component. Python with its interpreter has 14,000.
pub const FUNCTIONS: usize = 60_000;
/// Maximum number of bytes of their code. Python has 7 million.
pub const CODE_BYTES: usize = 24 << 20;
/// Maximum number of bytes of one of them. Python's longest has 427,000.
pub const FUNCTION_BYTES: usize = 1 << 20;
/// Maximum number of globals of all modules. Python has 900.
pub const GLOBALS: usize = 10_000;
/// Maximum number of types, imports and exports. Python has 10,000.
pub const NAMES: usize = 60_000;
/// Maximum number of interfaces that a driver imports and exports. The contract has a dozen, and a runtime brings a
/// score of WASI's.
pub const INTERFACES: usize = 200;
/// Maximum number of bytes of the name of one, its version included.
pub const INTERFACE_NAME: usize = 200;
/// Maximum number of modules and components in a component. Python has 41.
pub const PARTS: usize = 256;
/// Maximum number of instances of them that it declares; those that only rename something cost little. Python has
/// 120.
pub const DECLARED_INSTANCES: usize = 1000;
/// Maximum number of segments of data and of tables, with the elements of the latter. Python has 8,000.
pub const SEGMENTS: usize = 100_000;
/// Maximum number of bytes of everything in a component but code, data and custom sections. Python has 340,000.
pub const DESCRIPTION_BYTES: usize = 4 << 20;
/// Maximum number of local variables of all functions, parameters included. Python has 80,000.
pub const LOCALS: usize = 1_000_000;
/// Maximum number of blocks times local variables of one function. Python's largest number is 193,000.
pub const FUNCTION_VARIABLES: usize = 1_000_000;
/// The same of all functions together. Python has 5.3 million.
pub const VARIABLES: usize = 40_000_000;
/// Maximum number of loops times local variables of one function. Python's largest number is 8,500.
pub const FUNCTION_ROUNDS: usize = 100_000;
/// The same of all functions together. Python has 175,000.
pub const ROUNDS: usize = 2_000_000;
/// Maximum number of blocks of one function, each as often as there are loops around it. Python's largest number is
/// 12,000.
pub const FUNCTION_NESTING: usize = 100_000;
/// The same of all functions together. Python has 163,000.
pub const NESTING: usize = 2_000_000;
/// Maximum number of values that calls, branches and blocks of one function take and give: the compiler may take
/// kilobytes for each. Python's largest number is 7,800.
pub const FUNCTION_VALUES: usize = 80_000;
/// The same of all functions together. Python has 256,000.
pub const VALUES: usize = 2_000_000;
/// Maximum number of elements of a table.
pub const TABLE_ELEMENTS: usize = 64 << 10;
/// Maximum number of handles that a driver holds at a time.
pub const HANDLES: usize = 4096;
/// Maximum number of entries of the host's own table of what is behind handles.
pub const RESOURCES: usize = 1024;
/// Maximum number of configuration files of a node: a registry has about three, and few users have eighty.
pub const NODE_FILES: usize = 256;
/// Maximum number of bytes of all of them together: as many as fifteen bundles of all public authorities.
pub const NODE_FILE_BYTES: usize = 4 << 20;
/// Maximum number of bytes of the path of one of them. The name of a registry has 255 at most, that of a file too.
pub const NODE_FILE_PATH: usize = 1024;
/// Maximum number of bytes that one call passes to the host.
pub const CALL_BYTES: usize = 16 << 20;
/// Interval between checks of processor time.
pub const TICK: Duration = Duration::from_millis(10);
/// Maximum processor time between two calls to the host.
pub const SPIN: Duration = Duration::from_secs(5);
/// Wall time of the pure functions, the instantiation included.
pub const PURE: Duration = Duration::from_secs(1);
/// Wall time of queries: info, dial, version, features.
pub const QUERY: Duration = Duration::from_secs(20);
/// Wall time of stop and remove: an engine gives a container ten seconds to end.
pub const CHANGE: Duration = Duration::from_secs(120);
/// Wall time of boot: a slow network pulls an image in that time.
pub const BOOT: Duration = Duration::from_secs(600);
/// Wall time of undoing what a failed operation created, all of it together.
pub const UNDO: Duration = Duration::from_secs(30);
/// Maximum number of objects that are removed at the same time: as many as one operation creates, so that a slow
/// engine takes as long for all of them as for one.
pub const REMOVALS_AT_ONCE: usize = CREATIONS;
/// Wall time of connecting to an address, TLS included.
pub const CONNECT: Duration = Duration::from_secs(5);
/// Maximum number of bytes of a host's name: 253 is the most that DNS has.
pub const HOST_NAME: usize = 255;
/// Wall time for BuildKit to answer on a connection.
pub const ANSWER: Duration = Duration::from_secs(10);
/// Maximum number of requests to the engine in one operation.
pub const ENGINE_REQUESTS: u32 = 10_000;
/// Maximum number of objects that one operation creates.
pub const CREATIONS: usize = 32;
/// Maximum number of mounts of a container: a builder needs its state and a few directories.
pub const MOUNTS: usize = 100;
/// Maximum number of labels, options, words of a command and variables of one object.
pub const TEXTS: usize = 1000;
/// Maximum number of bytes of all of them.
pub const TEXT_BYTES: usize = 256 << 10;
/// Maximum number of further names of a container in a network.
pub const ALIASES: usize = 16;
/// Maximum number of characters of one: those of a part of a host's name.
pub const ALIAS_CHARS: usize = 63;
/// Maximum number of progress steps of one operation.
pub const STEPS: u64 = 1000;
/// Maximum number of counters of one operation: an image has a hundred layers at most.
pub const COUNTERS: usize = 1000;
/// Maximum number of changes of counters that one operation shows in a second, beside their beginnings and ends.
pub const COUNTER_CHANGES: u32 = 100;
/// Maximum number of characters of a counter's name.
pub const COUNTER_NAME: usize = 100;
/// Maximum number of bytes of output that one operation adds to its steps and to the log together.
pub const OUTPUT_BYTES: u64 = 16 << 20;
/// Cost of a record of output in addition to its bytes: about the memory that it takes until a slow
/// terminal has shown it.
pub const RECORD_BYTES: usize = 256;
/// Maximum number of bytes of a driver's standard error that are kept, to explain a crash.
pub const STDERR_BYTES: usize = 64 << 10;
/// Maximum number of bytes kept of each output of a command.
pub const COMMAND_OUTPUT_BYTES: usize = 1 << 20;
/// Maximum number of bytes of a container's log that are copied.
pub const LOG_BYTES: usize = 1 << 20;
/// Maximum number of bytes of a container's log that are handed to the driver.
pub const LAST_LOG_BYTES: usize = 16 << 10;
/// Maximum number of bytes of the arguments of one call for an observer.
pub const OBSERVED_BYTES: usize = 64 << 10;
/// Maximum number of bytes that one read of a connection returns.
pub const READ_BYTES: usize = 64 << 10;
/// Maximum number of objects in a list.
pub const LISTED: usize = 10_000;
/// Maximum number of capabilities that a driver asks for. There are about a dozen.
pub const REQUESTS: usize = 32;
/// Maximum number of patterns of one of these requests.
pub const PATTERNS: usize = 32;
/// Maximum number of characters of all patterns of a request: about half a screen, so that the question about it
/// is seen whole.
pub const SCOPE_CHARS: usize = 1000;
/// Maximum number of options of a driver. The one with the most has about twenty.
pub const OPTIONS: usize = 200;
/// Maximum number of choices of an option.
pub const CHOICES: usize = 100;
/// Maximum number of characters of the name of a driver, an option or a choice.
pub const NAME_CHARS: usize = 64;
/// Maximum number of characters of the help, the default or the deprecation of an option.
pub const OPTION_CHARS: usize = 1000;
/// Maximum number of characters of a line that people decide by: a reason, a summary.
pub const SHOWN_LINE: usize = 140;
/// Maximum number of characters of one line of a driver's words.
pub const LINE: usize = 1000;
