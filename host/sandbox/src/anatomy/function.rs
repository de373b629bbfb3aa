//! The cost of compiling a function, counted while its code is read.
//!
//! The compiler's time and memory do not depend on the length of a function alone. It keeps data on each local
//! variable for each block, it visits each block once for every loop around it, and an instruction of two bytes
//! can move a thousand values. So a function of a few kilobytes can require gigabytes. Functions that a compiler
//! of a language generates are far below the limits.

use wasmparser::{BlockType, CompositeInnerType, FunctionBody, Operator, SubType};

/// Numbers of parameters and results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Signature {
    parameters: usize,
    results: usize,
}

impl Signature {
    fn values(self) -> usize {
        self.parameters + self.results
    }
}

/// The types of a module's functions, reduced to their lengths.
#[derive(Debug, Default)]
pub(super) struct Module {
    types: Vec<Signature>,
    /// The type of each function, imported functions first.
    functions: Vec<u32>,
    imported: usize,
    /// Number of function bodies that were read.
    bodies: usize,
}

/// The quantities that the compiler's time and memory depend on, of one function or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Local variables, including parameters.
    pub(super) locals: usize,
    /// Blocks, times local variables.
    pub(super) variables: usize,
    /// Loops, times local variables: each may have another value in each round of each loop.
    pub(super) rounds: usize,
    /// Blocks, each counted once for every loop around it.
    pub(super) nesting: usize,
    /// Values that calls, branches and blocks take and return.
    pub(super) values: usize,
}

impl Work {
    pub(super) fn add(&mut self, other: Self) {
        self.locals = self.locals.saturating_add(other.locals);
        self.variables = self.variables.saturating_add(other.variables);
        self.rounds = self.rounds.saturating_add(other.rounds);
        self.nesting = self.nesting.saturating_add(other.nesting);
        self.values = self.values.saturating_add(other.values);
    }

    pub(super) fn raise(&mut self, other: Self) {
        self.locals = self.locals.max(other.locals);
        self.variables = self.variables.max(other.variables);
        self.rounds = self.rounds.max(other.rounds);
        self.nesting = self.nesting.max(other.nesting);
        self.values = self.values.max(other.values);
    }
}

/// A block that has begun but not ended.
struct Label {
    /// Number of values of a branch to it.
    carries: usize,
    is_loop: bool,
}

impl Module {
    pub(super) fn add_type(&mut self, kind: &SubType) {
        self.types.push(match &kind.composite_type.inner {
            CompositeInnerType::Func(function) => Signature {
                parameters: function.params().len(),
                results: function.results().len(),
            },
            _ => Signature::default(),
        });
    }

    pub(super) fn add_import(&mut self, kind: u32) {
        self.functions.push(kind);
        self.imported += 1;
    }

    pub(super) fn add_function(&mut self, kind: u32) {
        self.functions.push(kind);
    }

    /// Returns the cost of compiling the next function. Invalid code costs nothing, because the compiler refuses
    /// it.
    pub(super) fn next_function(&mut self, body: &FunctionBody<'_>) -> wasmparser::Result<Work> {
        let own = self.function(self.imported.saturating_add(self.bodies));
        self.bodies += 1;
        let mut work = Work {
            locals: own.parameters,
            ..Work::default()
        };
        for declared in body.get_locals_reader()? {
            work.locals = work.locals.saturating_add(declared?.0 as usize);
        }
        let mut counted = Counted {
            module: self,
            labels: vec![Label {
                carries: own.results,
                is_loop: false,
            }],
            loops_around: 0,
            loops: 0,
            blocks: 1,
            work,
        };
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            counted.count(&operators.read()?)?;
        }
        let Counted {
            loops,
            blocks,
            work,
            ..
        } = counted;
        Ok(Work {
            variables: blocks.saturating_mul(work.locals),
            rounds: loops.saturating_mul(work.locals),
            ..work
        })
    }

    fn function(&self, index: usize) -> Signature {
        self.functions
            .get(index)
            .map(|kind| self.signature(*kind))
            .unwrap_or_default()
    }

    fn signature(&self, kind: u32) -> Signature {
        self.types.get(kind as usize).copied().unwrap_or_default()
    }

    fn block(&self, kind: BlockType) -> Signature {
        match kind {
            BlockType::Empty => Signature::default(),
            BlockType::Type(_) => Signature {
                parameters: 0,
                results: 1,
            },
            BlockType::FuncType(kind) => self.signature(kind),
        }
    }
}

/// The part of a function that was read.
struct Counted<'a> {
    module: &'a Module,
    labels: Vec<Label>,
    /// Number of blocks that are loops.
    loops_around: usize,
    /// Number of loops and blocks, including the function itself.
    loops: usize,
    blocks: usize,
    work: Work,
}

impl Counted<'_> {
    fn count(&mut self, operator: &Operator<'_>) -> wasmparser::Result<()> {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.begin(*blockty, false),
            Operator::Loop { blockty } => self.begin(*blockty, true),
            Operator::TryTable { try_table } => {
                self.begin(try_table.ty, false);
                self.take(try_table.catches.len());
            }
            Operator::Else => self.make(1),
            Operator::End => {
                if self.labels.pop().is_some_and(|label| label.is_loop) {
                    self.loops_around -= 1;
                }
            }
            Operator::Br { relative_depth }
            | Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => self.branch(*relative_depth),
            Operator::BrTable { targets } => {
                self.branch(targets.default());
                for target in targets.targets() {
                    self.branch(target?);
                }
            }
            Operator::Return => {
                let results = self.labels.first().map_or(0, |label| label.carries);
                self.take(results);
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.take(self.module.function(*function_index as usize).values());
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. }
            | Operator::CallRef { type_index }
            | Operator::ReturnCallRef { type_index } => {
                // The entry of the table is looked at first.
                self.make(1);
                self.take(self.module.signature(*type_index).values());
            }
            // So is this one.
            Operator::TableGet { .. } | Operator::TableSet { .. } => self.make(1),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, kind: BlockType, is_loop: bool) {
        let signature = self.module.block(kind);
        self.loops += usize::from(is_loop);
        self.loops_around += usize::from(is_loop);
        self.make(1);
        self.take(signature.values());
        self.labels.push(Label {
            carries: if is_loop {
                signature.parameters
            } else {
                signature.results
            },
            is_loop,
        });
    }

    fn branch(&mut self, depth: u32) {
        self.make(1);
        let target = self.labels.iter().nth_back(depth as usize);
        self.take(target.map_or(0, |label| label.carries));
    }

    /// Counts blocks.
    fn make(&mut self, blocks: usize) {
        self.blocks = self.blocks.saturating_add(blocks);
        self.work.nesting = self.work.nesting.saturating_add(blocks * self.loops_around);
    }

    /// Counts values.
    fn take(&mut self, values: usize) {
        self.work.values = self.work.values.saturating_add(values);
    }
}
