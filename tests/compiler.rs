//! The compiler of drivers, in test programs: they have no `main` of their own in which they could ask
//! whether they were started again to compile.

extern "C" fn serve_if_asked() {
    iechor_sandbox::compiler::serve_if_asked();
}

// SAFETY: the C library calls what stands in this section before `main`, with the standard library in
// order as far as it is used: arguments, files, threads.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = serve_if_asked;
