#pragma once
#include "app.hpp"

/// What the commands of the table run; each returns an exit code.
namespace staithe::cli {

int run_deploy(App& app);
int run_run(App& app);
int run_rollback(App& app);
int run_recover(App& app);
/// recover --settled.
int run_settle(App& app);
int run_exec(App& app);
int run_drain(App& app);
int run_restore(App& app);
int run_validate(App& app);
int run_check(App& app);
int run_watch(App& app);
int run_status(App& app);
int run_history(App& app);
int run_doctor(App& app);
int run_unlock(App& app);
int run_hostkeys_scan(App& app);
int run_hostkeys_pin(App& app);
int run_hostkeys_verify(App& app);
int run_stage_snapshot(App& app);
int run_stage_list(App& app);
int run_stage_rehearse(App& app);
int run_stage_backfill(App& app);
int run_backfill(App& app);
int run_stage_drop(App& app);
int run_stage_suggest_masks(App& app);
int run_help(App& app);
int run_version(App& app);
int run_completion(App& app);
int run_complete(App& app);

}  // namespace staithe::cli
