//! Starts the compiler of drivers in test programs. These have no `main` of their own that could detect
//! that the program was started as the compiler.

extern "C" fn serve_if_asked() {
    iechor_sandbox::compiler::serve_if_asked();
}

// SAFETY: the C library calls the functions in this section before `main`. The parts of the standard
// library that are used work at that time: arguments, files, threads.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = serve_if_asked;
