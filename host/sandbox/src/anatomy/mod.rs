//! The structure of a component, read from its bytes before it is compiled: whether it is a driver, and whether
//! its compilation and its instances stay within bounds.

mod function;

use function::{Module, Work};
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, ElementItems, Encoding, Parser, Payload, TypeRef,
};

use crate::contract_version;
use crate::error::DriverError;
use crate::limits;
use crate::runtime::unknown_imports;
use crate::text::clean_line;

/// The names that identify a component as a driver, and its cost.
#[derive(Debug, Default, PartialEq, Eq)]
struct Anatomy {
    imports: Vec<String>,
    exports: Vec<String>,
    costs: Costs,
}

/// The quantities that the time and memory of the compiler and of instances depend on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Costs {
    /// Functions of all modules.
    functions: usize,
    /// Bytes of their code.
    code: usize,
    /// Bytes of the longest function: the cost of compiling it grows faster than its length.
    longest: usize,
    /// Globals of all modules.
    globals: usize,
    /// Types, imports and exports of all modules and components, which are kept by name.
    names: usize,
    /// Modules and components.
    parts: usize,
    /// Instances of modules and components that one instance of the whole creates, directly or indirectly.
    instances: usize,
    /// Segments of data and of tables, and the elements of the latter.
    segments: usize,
    /// Bytes of everything except code, data and sections for readers. They are kept in memory several times, by
    /// name and type.
    description: usize,
    /// Cost of compiling all functions.
    work: Work,
    /// Cost of compiling the most expensive function.
    hardest: Work,
}

/// Checks that a component is a driver of a contract version that this host supports, and within the limits.
///
/// # Errors
///
/// What the component is or has instead. The bytes are not validated here.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<(), DriverError> {
    let anatomy = read(bytes).map_err(|error| DriverError::Unloadable {
        driver: name.into(),
        reason: clean_line(&error.to_string(), limits::LINE),
    })?;
    check_names(name, &anatomy.imports, &anatomy.exports)?;
    let costs = &anatomy.costs;
    for (what, count, most) in [
        ("functions", costs.functions, limits::FUNCTIONS),
        ("bytes of code", costs.code, limits::CODE_BYTES),
        (
            "bytes of code in one function",
            costs.longest,
            limits::FUNCTION_BYTES,
        ),
        ("globals", costs.globals, limits::GLOBALS),
        ("types, imports and exports", costs.names, limits::NAMES),
        ("modules and components in it", costs.parts, limits::PARTS),
        ("instances", costs.instances, limits::DECLARED_INSTANCES),
        (
            "segments and their elements",
            costs.segments,
            limits::SEGMENTS,
        ),
        (
            "bytes of types, names and initial values",
            costs.description,
            limits::DESCRIPTION_BYTES,
        ),
        ("local variables", costs.work.locals, limits::LOCALS),
        (
            "pairs of a block and a local variable in one function",
            costs.hardest.variables,
            limits::FUNCTION_VARIABLES,
        ),
        (
            "pairs of a block and a local variable",
            costs.work.variables,
            limits::VARIABLES,
        ),
        (
            "pairs of a loop and a local variable in one function",
            costs.hardest.rounds,
            limits::FUNCTION_ROUNDS,
        ),
        (
            "pairs of a loop and a local variable",
            costs.work.rounds,
            limits::ROUNDS,
        ),
        (
            "pairs of a block and a loop around it in one function",
            costs.hardest.nesting,
            limits::FUNCTION_NESTING,
        ),
        (
            "pairs of a block and a loop around it",
            costs.work.nesting,
            limits::NESTING,
        ),
        (
            "values of calls and branches in one function",
            costs.hardest.values,
            limits::FUNCTION_VALUES,
        ),
        (
            "values of calls and branches",
            costs.work.values,
            limits::VALUES,
        ),
    ] {
        if count > most {
            return Err(DriverError::Unloadable {
                driver: name.into(),
                reason: format!(
                    "it has {count} {what}; a driver may have {most}, to be compiled in good time"
                ),
            });
        }
    }
    Ok(())
}

/// Checks by the names of its imports and exports that a component is a driver that this host can run. Returns the
/// version of its contract.
///
/// # Errors
///
/// What the component is instead.
pub(crate) fn check_names(
    name: &str,
    imports: &[String],
    exports: &[String],
) -> Result<String, DriverError> {
    check_interfaces(name, imports, exports)?;
    let contract = contract_version::of(name, exports);
    let unknown = unknown_imports(imports.iter().map(String::as_str));
    // A driver for a newer contract may import interfaces that only that contract has. The version is the better
    // explanation.
    if !unknown.is_empty() && !matches!(contract, Err(DriverError::OtherContract { .. })) {
        return Err(DriverError::UnknownImports {
            driver: name.into(),
            imports: unknown
                .iter()
                .map(|import| clean_line(import, limits::LINE))
                .collect(),
        });
    }
    contract
}

/// Checks that the names of imports and exports can be displayed.
fn check_interfaces(name: &str, imports: &[String], exports: &[String]) -> Result<(), DriverError> {
    let count = imports.len() + exports.len();
    if count > limits::INTERFACES {
        let most = limits::INTERFACES;
        return Err(DriverError::unloadable(
            name,
            &format!("it imports and exports {count} interfaces; a driver may have {most}"),
        ));
    }
    let longest = imports.iter().chain(exports).max_by_key(|name| name.len());
    match longest {
        Some(longest) if longest.len() > limits::INTERFACE_NAME => Err(DriverError::unloadable(
            name,
            &format!(
                "the name of an interface has {} bytes, where {} are enough: {}",
                longest.len(),
                limits::INTERFACE_NAME,
                clean_line(longest, 40)
            ),
        )),
        _ => Ok(()),
    }
}

/// A module or component that has begun but not ended.
struct Nested {
    encoding: Encoding,
    /// Number of instances that an instance of it creates, without itself.
    makes: usize,
    /// The same number for each component that it defines, by index. A component that creates two instances of
    /// another, which creates two of a third, creates six with a few bytes.
    components: Vec<usize>,
    /// The functions of a module.
    module: Module,
}

impl Nested {
    fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            makes: 0,
            components: Vec::new(),
            module: Module::default(),
        }
    }

    fn make(&mut self, instances: usize) {
        self.makes = self.makes.saturating_add(instances);
    }
}

/// Returns the number of instances that a component creates which is defined the given number of levels further
/// out.
fn outer(nest: &[Nested], levels: u32, index: u32) -> usize {
    let around = nest
        .len()
        .checked_sub(1 + levels as usize)
        .and_then(|at| nest.get(at));
    around
        .and_then(|around| around.components.get(index as usize).copied())
        .unwrap_or(usize::MAX)
}

fn read(bytes: &[u8]) -> wasmparser::Result<Anatomy> {
    let mut anatomy = Anatomy::default();
    let costs = &mut anatomy.costs;
    // Nested modules and components are part of the same sequence.
    let mut nest: Vec<Nested> = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let depth = nest.len();
        let payload = payload?;
        if let Some((id, range)) = payload.as_section()
            && !is_bulk(id, nest.last().map(|here| here.encoding))
        {
            costs.description = costs.description.saturating_add(range.len());
        }
        match payload {
            Payload::Version { encoding, .. } => {
                nest.push(Nested::new(encoding));
                costs.parts += 1;
            }
            Payload::End(_) => {
                if let Some(ended) = nest.pop() {
                    match nest.last_mut() {
                        None => costs.instances = ended.makes,
                        Some(around) if ended.encoding == Encoding::Component => {
                            around.components.push(ended.makes);
                        }
                        Some(_) => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => {
                costs.functions += functions.count() as usize;
                for kind in functions {
                    let kind = kind?;
                    if let Some(here) = nest.last_mut() {
                        here.module.add_function(kind);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let length = body.range().len();
                costs.code += length;
                costs.longest = costs.longest.max(length);
                if let Some(here) = nest.last_mut() {
                    let work = here.module.next_function(&body)?;
                    costs.work.add(work);
                    costs.hardest.raise(work);
                }
            }
            Payload::GlobalSection(globals) => costs.globals += globals.count() as usize,
            Payload::TypeSection(types) => {
                for group in types {
                    for kind in group?.into_types() {
                        costs.names += 1;
                        if let Some(here) = nest.last_mut() {
                            here.module.add_type(&kind);
                        }
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    costs.names += 1;
                    if let TypeRef::Func(kind) = import?.ty
                        && let Some(here) = nest.last_mut()
                    {
                        here.module.add_import(kind);
                    }
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    let count = match element?.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    };
                    costs.segments = costs.segments.saturating_add(1 + count as usize);
                }
            }
            Payload::DataSection(data) => {
                costs.segments = costs.segments.saturating_add(data.count() as usize);
            }
            Payload::ExportSection(exports) => costs.names += exports.count() as usize,
            Payload::CoreTypeSection(types) => costs.names += types.count() as usize,
            Payload::ComponentTypeSection(types) => costs.names += types.count() as usize,
            Payload::ComponentAliasSection(aliases) => {
                costs.names += aliases.count() as usize;
                for alias in aliases {
                    let makes = match alias? {
                        ComponentAlias::Outer {
                            kind: ComponentOuterAliasKind::Component,
                            count,
                            index,
                        } => outer(&nest, count, index),
                        // An unknown item, whose instances cannot be counted.
                        ComponentAlias::InstanceExport {
                            kind: ComponentExternalKind::Component,
                            ..
                        } => usize::MAX,
                        _ => continue,
                    };
                    if let Some(here) = nest.last_mut() {
                        here.components.push(makes);
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                costs.functions += functions.count() as usize;
            }
            Payload::InstanceSection(instances) => {
                if let Some(here) = nest.last_mut() {
                    here.make(instances.count() as usize);
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    let instance = instance?;
                    if let Some(here) = nest.last_mut() {
                        here.make(1);
                        if let ComponentInstance::Instantiate {
                            component_index, ..
                        } = instance
                        {
                            let inner = here.components.get(component_index as usize).copied();
                            here.make(inner.unwrap_or(usize::MAX));
                        }
                    }
                }
            }
            Payload::ComponentImportSection(imports) => {
                costs.names += imports.count() as usize;
                for import in imports {
                    let import = import?;
                    if let ComponentTypeRef::Component(_) = import.ty
                        && let Some(here) = nest.last_mut()
                    {
                        here.components.push(usize::MAX);
                    }
                    if depth == 1 {
                        anatomy.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                costs.names += exports.count() as usize;
                if depth == 1 {
                    for export in exports {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Instance {
                            anatomy.exports.push(export.name.name.to_owned());
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok(anatomy)
}

/// Returns whether a section is code, data, another module or component, or for readers only. The numbers are
/// those of the binary formats of modules and components.
fn is_bulk(id: u8, of: Option<Encoding>) -> bool {
    match of {
        _ if id == 0 => true,
        Some(Encoding::Module) => matches!(id, 10 | 11),
        Some(Encoding::Component) => matches!(id, 1 | 4),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EMBEDDED;

    #[test]
    fn the_built_in_drivers_are_far_from_every_bound() {
        for driver in EMBEDDED {
            let anatomy = read(driver.component).expect("a component");
            println!("{}: {:?}", driver.name, anatomy.costs);
            check(driver.name, driver.component).expect("within bounds");
        }
    }
}
