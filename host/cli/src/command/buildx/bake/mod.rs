//! `iechor buildx bake`
//!
//! `files` finds and reads the definition, `list` prints lists, `build` builds and `permission` checks what the
//! builds demand. The hints for errors of definitions are in
//! `failure`.

mod build;
mod files;
mod list;
mod permission;
mod surroundings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use iechor_bake::definition::Input;
use iechor_bake::{Definition, print};
use iechor_progress::Mode;

use crate::session::{self, Common};
use crate::terminal;
use crate::text::Text;
use list::List;
use surroundings::Surroundings;

/// The variable that keeps definitions from using variables of the environment.
const NO_ENVIRONMENT: &str = "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP";

/// Build the targets of a definition file
#[derive(Debug, Args)]
pub struct Bake {
    /// Targets and groups, also as patterns (default: default)
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Definition file, or - for standard input
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Override a setting of targets, as PATTERN.KEY=VALUE, or PATTERN.KEY+=VALUE to add a value
    #[arg(long = "set", value_name = "OVERRIDE")]
    overrides: Vec<String>,
    /// Set a variable of the definition, as NAME=VALUE
    #[arg(long = "var", value_name = "VARIABLE")]
    variables: Vec<String>,
    /// Print the settings of the targets as JSON
    #[arg(long)]
    print: bool,
    /// List targets or variables: targets, variables, or type=TYPE,format=json
    #[arg(long, value_name = "TYPE")]
    list: Option<String>,
    /// Load the images into the engine; shorthand for --set=*.load=true
    #[arg(long)]
    load: bool,
    /// Push the images to their registries; shorthand for --set=*.push=true
    #[arg(long)]
    push: bool,
    /// Do not use the cache; shorthand for --set=*.no-cache=true
    #[arg(long)]
    no_cache: bool,
    /// Always check for newer versions of the images; shorthand for --set=*.pull=true
    #[arg(long)]
    pull: bool,
    /// Method of the frontend to call; shorthand for --set=*.call=METHOD
    #[arg(long, value_name = "METHOD", overrides_with = "check")]
    call: Option<String>,
    /// Check the Dockerfiles; shorthand for --call=check
    #[arg(long, overrides_with = "call")]
    check: bool,
    /// Provenance of the images: a boolean, or KEY=VALUE,...; shorthand for --set=*.attest=type=provenance
    #[arg(long, value_name = "PROVENANCE")]
    provenance: Option<String>,
    /// Bill of materials of the images: a boolean, or KEY=VALUE,...; shorthand for --set=*.attest=type=sbom
    #[arg(long, value_name = "SBOM")]
    sbom: Option<String>,
    /// Permission of the builds: network.host, security.insecure, device[=NAME], ssh, buildx.local.delete, or
    /// fs[.read|.write]=PATH for files outside the working directory
    #[arg(long = "allow", value_name = "ENTITLEMENT")]
    allow: Vec<String>,
    /// Type of progress output: auto, none, plain, quiet, rawjson or tty
    #[arg(long, value_name = "MODE", default_value = "auto")]
    progress: String,
    /// Write metadata of the results to a file, as JSON
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
}

impl Bake {
    /// Reads the definition, and builds or prints what is requested of it.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        // docker buildx prints the same.
        if self.print && self.list.is_some() {
            bail!("--print and --list are mutually exclusive");
        }
        let list = self.list.as_deref().map(List::parse).transpose()?;
        let variables = variables(&self.variables)?;
        if let Some(remote) = self
            .targets
            .first()
            .filter(|name| iechor_build::spec::url::is_remote(name))
        {
            bail!("definitions at a URL are not supported: {remote}");
        }
        let files = files::read(&self.files, |name| std::env::var(name).ok())?;
        let definition = Definition::read(&Input {
            files: &files,
            variables: &variables,
            constants: &surroundings::constants(),
            uses_environment: uses_environment(),
            environment: &Surroundings,
        })?;
        for warning in &definition.warnings {
            terminal::warn(&warning.to_string());
        }
        if let Some(list) = list {
            return list.print(&definition);
        }
        let requested = match self.targets.is_empty() {
            true => vec!["default".to_owned()],
            false => self.targets.clone(),
        };
        let variable = |name: &str| std::env::var(name).ok();
        let selection = definition.select(&requested, &self.overrides(), &variable)?;
        if self.print {
            let json = print::selection(&selection);
            return terminal::result(&Text::prepared(iechor_text::json(&json).into_owned()));
        }
        let mode = Mode::resolve(
            self.progress.parse()?,
            variable("BUILDKIT_PROGRESS").as_deref(),
        )?;
        let builds = build::of_selection(&selection)?;
        let demanded = build::demanded(&definition, &requested, &selection, &builds);
        session::change(common, |workspace| async move {
            build::ask(&demanded, &self.allow, &workspace).await?;
            build::run(&workspace, builds, mode, self.metadata_file).await
        })
    }

    /// Returns the overrides: those of flags follow the others.
    fn overrides(&self) -> Vec<String> {
        let mut overrides = self.overrides.clone();
        let mut add = |setting: String| overrides.push(format!("*.{setting}"));
        if self.push {
            add("push=true".to_owned());
        }
        if self.load {
            add("load=true".to_owned());
        }
        match (&self.call, self.check) {
            // docker buildx names it by what it does as well.
            (_, true) => add("call=lint".to_owned()),
            (Some(call), _) if call == "check" => add("call=lint".to_owned()),
            (Some(call), _) => add(format!("call={call}")),
            (None, _) => {}
        }
        if self.no_cache {
            add("no-cache=true".to_owned());
        }
        if self.pull {
            add("pull=true".to_owned());
        }
        for (kind, value) in [("provenance", &self.provenance), ("sbom", &self.sbom)] {
            if let Some(value) = value {
                add(format!("attest={}", attestation(kind, value)));
            }
        }
        overrides
    }
}

/// Returns an attestation of a shorthand: a boolean, or options.
fn attestation(kind: &str, value: &str) -> String {
    match iechor_build::spec::parse::boolean(value) {
        Some(is_on) => format!("type={kind},disabled={}", !is_on),
        None => format!("type={kind},{value}"),
    }
}

/// Returns whether definitions use variables of the environment.
fn uses_environment() -> bool {
    let value = std::env::var(NO_ENVIRONMENT).ok();
    let is_off = value.and_then(|value| iechor_build::spec::parse::boolean(&value));
    is_off != Some(true)
}

/// Parses the variables of the command line.
fn variables(texts: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    for text in texts {
        // docker buildx prints the same.
        match text.split_once('=') {
            None => return Err(anyhow!("invalid variable {text:?}, expected key=value")),
            Some(("", _)) => return Err(anyhow!("invalid variable {text:?}, key is empty")),
            Some((name, value)) => variables.insert(name.to_owned(), value.to_owned()),
        };
    }
    Ok(variables)
}
