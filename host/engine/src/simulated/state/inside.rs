//! What is inside a container: files, its log, and commands.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::State;
use crate::error::EngineError;
use crate::log::Log;
use crate::model::{ContainerSpec, ContainerStatus, File, LogChunk};

impl State {
    pub(in crate::simulated) fn copy_into(
        &mut self,
        name: &str,
        target: &str,
        files: &[File],
    ) -> Result<(), EngineError> {
        let kept = self.kept(name)?;
        let target = match target.trim_end_matches('/') {
            "" => "/",
            target => target,
        };
        if !kept.directories.contains(target) {
            return Err(EngineError::Refused {
                status: 404,
                message: format!("Could not find the file {target} in container {name}"),
            });
        }
        let base = target.trim_end_matches('/');
        for file in files {
            let path = format!("{base}/{}", file.path);
            for (end, _) in path.match_indices('/').skip(1) {
                kept.directories.insert(path[..end].to_owned());
            }
            kept.files.insert(path, file.clone());
        }
        Ok(())
    }

    pub(in crate::simulated) fn files(
        &mut self,
        name: &str,
    ) -> Result<BTreeMap<String, File>, EngineError> {
        Ok(self.kept(name)?.files.clone())
    }

    pub(in crate::simulated) fn spec(&mut self, name: &str) -> Result<ContainerSpec, EngineError> {
        Ok(self.kept(name)?.spec.clone())
    }

    pub(in crate::simulated) fn logs(
        &mut self,
        name: &str,
        tail: Option<u32>,
        limit: usize,
    ) -> Result<Vec<LogChunk>, EngineError> {
        let kept = self.kept(name)?;
        let lines = kept.log.len();
        let skip = tail.map_or(0, |tail| lines.saturating_sub(tail as usize));
        let mut log = Log::new(limit);
        for chunk in &kept.log[skip..] {
            log.push(chunk.stream, chunk.data.clone());
        }
        Ok(log.chunks())
    }

    /// Returns the name of a running container, and a token that is cancelled when its run ends.
    pub(in crate::simulated) fn enter(
        &mut self,
        name: &str,
    ) -> Result<(String, CancellationToken), EngineError> {
        let kept = self.kept(name)?;
        match kept.seen.status {
            ContainerStatus::Running => Ok((kept.seen.name.clone(), kept.life.clone())),
            ContainerStatus::Restarting => Err(EngineError::Conflict(format!(
                "Container {} is restarting, wait until the container is running",
                kept.seen.id
            ))),
            _ => Err(EngineError::Conflict(format!(
                "Container {} is not running",
                kept.seen.id
            ))),
        }
    }
}
