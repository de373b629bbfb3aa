//! What the daemon's cache holds, and removing it.

use std::time::{Duration, SystemTime};

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::error::Error;
use crate::status::system_time;

/// One record of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// Identifies the record.
    pub id: String,
    /// It may still change: a cache mount or a copy of a context.
    pub mutable: bool,
    /// Something uses it now; it is not reclaimable.
    pub in_use: bool,
    /// Bytes on disk, without parents.
    pub size: i64,
    /// Records that it stands on.
    pub parents: Vec<String>,
    /// When it was made.
    pub created_at: SystemTime,
    /// When a build used it last.
    pub last_used_at: Option<SystemTime>,
    /// How many builds used it.
    pub usage_count: i64,
    /// Where it comes from, for example `mount / from exec /bin/sh -c make`.
    pub description: String,
    /// Kind, for example `regular` or `source.local`.
    pub record_type: String,
    /// Shares its content with something outside of the cache, such as an image.
    pub shared: bool,
}

impl From<control::UsageRecord> for UsageRecord {
    fn from(record: control::UsageRecord) -> Self {
        let mut parents = record.parents;
        #[expect(deprecated, reason = "daemons before 0.9 fill only this one")]
        if parents.is_empty() && !record.parent.is_empty() {
            parents.push(record.parent);
        }
        Self {
            id: record.id,
            mutable: record.mutable,
            in_use: record.in_use,
            size: record.size,
            parents,
            created_at: record
                .created_at
                .as_ref()
                .map_or(SystemTime::UNIX_EPOCH, system_time),
            last_used_at: record.last_used_at.as_ref().map(system_time),
            usage_count: record.usage_count,
            description: record.description,
            record_type: record.record_type,
            shared: record.shared,
        }
    }
}

/// What to remove from the cache. The default removes what no build can use any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneRequest {
    /// Which records, for example `type==source.local`; records have to match one of them.
    pub filters: Vec<String>,
    /// Internal and frontend images too.
    pub all: bool,
    /// Keep what was used within this time.
    pub keep_duration: Duration,
    /// Bytes to keep in any case; zero for none.
    pub reserved_space: i64,
    /// Bytes that may be kept at most; zero for no limit.
    pub max_used_space: i64,
    /// Bytes of the disk to free at least; zero for no goal.
    pub min_free_space: i64,
}

impl Client {
    /// The records of the cache that match one of the filters, or all of them without filters.
    ///
    /// A daemon with a large cache may take long; the call has no limit of its own.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the daemon refuses.
    pub async fn disk_usage(&self, filters: Vec<String>) -> Result<Vec<UsageRecord>, Error> {
        let mut control = self.control();
        let request = control::DiskUsageRequest {
            filter: filters,
            age_limit: 0,
        };
        let answer = self
            .unhurried("Control.DiskUsage", control.disk_usage(request))
            .await?;
        Ok(answer.record.into_iter().map(Into::into).collect())
    }

    /// Removes records of the cache and sends each to `removed` as it goes.
    ///
    /// Dropping the future stops the removal. It has no limit of its own.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the daemon refuses.
    pub async fn prune(
        &self,
        request: PruneRequest,
        removed: mpsc::Sender<UsageRecord>,
    ) -> Result<(), Error> {
        const CALL: &str = "Control.Prune";
        let mut control = self.control();
        let request = control::PruneRequest {
            filter: request.filters,
            all: request.all,
            keep_duration: i64::try_from(request.keep_duration.as_nanos()).unwrap_or(i64::MAX),
            reserved_space: request.reserved_space,
            max_used_space: request.max_used_space,
            min_free_space: request.min_free_space,
        };
        let mut records = self.unhurried(CALL, control.prune(request)).await?;
        loop {
            match records.message().await {
                // Nobody wants to know: it goes on nevertheless.
                Ok(Some(record)) => drop(removed.send(record.into()).await),
                Ok(None) => return Ok(()),
                Err(status) => return Err(self.call_error(CALL, &status).await),
            }
        }
    }
}
