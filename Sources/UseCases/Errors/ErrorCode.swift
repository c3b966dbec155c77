/// An error that programs can tell by its code. `description` is its only sentence.
public protocol CodedError: Error, CustomStringConvertible {
    var code: ErrorCode { get }
}

/// The stable names of errors: a release may add some, and never renames or reuses one. `docs/troubleshooting.md` lists them.
public enum ErrorCode: String, Sendable, CaseIterable {
    // A plan that is not applied, or not further.
    case otherBucket = "other_bucket"
    case otherTransport = "other_transport"
    case otherWorkerRoot = "other_worker_root"
    case unfinishedRun = "unfinished_run"
    case runAbandoned = "run_abandoned"
    case runRolledBack = "run_rolled_back"
    case partOfRun = "part_of_run"
    case stalePlan = "stale_plan"
    case renamesOutdated = "renames_outdated"
    case workersRenamed = "workers_renamed"
    case otherMachines = "other_machines"
    case contentMissing = "content_missing"
    case planContradictsFiles = "plan_contradicts_files"
    case hooksUnavailable = "hooks_unavailable"
    case hookPortTaken = "hook_port_taken"
    case workersNotReady = "workers_not_ready"
    case timeZone = "time_zone"
    case startBeforePassed = "start_before_passed"
    case opensAfterStartBefore = "opens_after_start_before"
    case windowOver = "window_over"
    case freezesUnreadable = "freezes_unreadable"
    case batchNeverFits = "batch_never_fits"
    case notApproved = "not_approved"
    case notDeployed = "not_deployed"
    case missingTarget = "missing_target"

    // A run that is parked.
    case windowClosed = "window_closed"
    case windowTooShort = "window_too_short"
    case frozen
    case approvalLapsed = "approval_lapsed"
    case paused
    case signal

    // Decisions about a run.
    case noSuchRun = "no_such_run"
    case runEnded = "run_ended"
    case noSuchStep = "no_such_step"
    case stepNotUnknown = "step_not_unknown"

    // The bucket's data.
    case bucketLocked = "bucket_locked"
    case lockFailed = "lock_failed"
    case catalogUnopenable = "catalog_unopenable"
    case notACatalog = "not_a_catalog"
    case catalogDamaged = "catalog_damaged"
    case catalogReplaced = "catalog_replaced"
    case catalogEmptied = "catalog_emptied"
    case catalogTooNew = "catalog_too_new"
    case catalogOfOtherBucket = "catalog_of_other_bucket"
    case catalogLocked = "catalog_locked"
    case catalogReadOnly = "catalog_read_only"
    case catalogFailed = "catalog_failed"
    case networkFileSystem = "network_file_system"
    case illegalTransition = "illegal_transition"
    case diskFull = "disk_full"
    case contentAltered = "content_altered"
    case contentChanged = "content_changed"
    case contentUnusable = "content_unusable"
    case storeFailed = "store_failed"
    case keyLost = "key_lost"
    case keyUnusable = "key_unusable"
    case secretUnreadable = "secret_unreadable"
    case secretNotGiven = "secret_not_given"
    case certificatesMissing = "certificates_missing"
    case certificateEnded = "certificate_ended"
    case authorityInUse = "authority_in_use"

    // Workers and this host.
    case connectionSettings = "connection_settings"
    case workerUnreachable = "worker_unreachable"
    case workerRefused = "worker_refused"
    case workerFault = "worker_fault"
    case hookFile = "hook_file"

    // Planning.
    case unknownJob = "unknown_job"
    case unknownWorker = "unknown_worker"
    case unknownLabel = "unknown_label"
    case allocationDisabled = "allocation_disabled"
    case allocationUnfinished = "allocation_unfinished"
    case hooksChanged = "hooks_changed"
    case allocationUnwanted = "allocation_unwanted"
    case budgetExceeded = "budget_exceeded"
    case recoversOthers = "recovers_others"
    case startsNeeded = "starts_needed"
    case unknownCommand = "unknown_command"
    case noActiveAllocation = "no_active_allocation"
    case namesTaken = "names_taken"
    case portsExhausted = "ports_exhausted"
    case noWayBack = "no_way_back"
    case notTakenBack = "not_taken_back"

    // Commands and their files.
    case usage
    case invalidInput = "invalid_input"
    case fileUnreadable = "file_unreadable"
    case fileNotWritten = "file_not_written"
    case symbolicLink = "symbolic_link"
    case tryLater = "try_later"
    case failed
}
