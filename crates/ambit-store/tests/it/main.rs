//! The contract of [`ambit_core::store`], on both engines: the same cases on SQLite and, where `AMBIT_TEST_POSTGRES_URL`
//! names a server, on PostgreSQL.

mod backups;
mod changes;
mod checksums;
mod consents;
mod damage;
mod faults;
mod journal;
mod kill;
mod logouts;
mod migrations;
mod once;
mod outcomes;
mod reach;
mod registry;
mod sign_ins;
mod support;
mod values;

/// Runs each case on both engines, each time with an empty database.
macro_rules! contract {
    ($($file:ident { $($case:ident),* $(,)? })*) => {
        mod sqlite {$(mod $file {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::support::on_sqlite(crate::$file::$case).await;
            }
        )*})*}

        mod postgres {$(mod $file {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                crate::support::on_postgres(crate::$file::$case).await;
            }
        )*})*}
    };
}

contract! {
    registry {
        a_row_of_every_kind_reads_back_as_it_was_inserted,
        what_is_not_there_is_not_found,
        a_taken_identifier_or_name_is_a_conflict_and_the_rest_still_commits,
        a_name_is_free_again_once_its_row_is_renamed_or_deleted,
        replacing_or_deleting_what_is_not_there_is_missing,
        an_update_that_changes_nothing_else_still_takes_a_revision,
        lists_are_ordered_by_identifier_filtered_and_paged,
        counts_ignore_where_a_page_begins_and_ends,
        a_transaction_sees_its_own_changes_and_nobody_else_does,
        a_dropped_transaction_leaves_no_trace,
        a_transaction_that_changed_nothing_takes_no_revision,
        a_kept_answer_alone_is_durable_and_takes_no_revision,
        revisions_have_no_gaps_under_sixteen_writers,
        a_writer_gives_up_waiting_in_time,
        a_change_given_up_half_way_is_never_committed,
        nouns_are_read_and_written_as_themselves,
        rows_loaded_in_bulk_are_all_there_or_none,
    }
    reach {
        what_another_owns_is_absent_by_identifier_by_name_in_lists_and_in_counts,
        a_transaction_reaches_no_further_than_the_store,
        a_history_is_for_those_alone_who_reach_its_owner,
    }
    changes {
        each_change_is_logged_with_before_and_after,
        what_became_of_something_kept_elsewhere_is_in_the_log,
        what_is_sealed_is_not_in_the_log,
        whole_revisions_are_told_and_no_part_of_one,
        changes_become_visible_in_order_and_none_is_missed,
        the_audit_trail_is_filtered_and_paged_newest_first,
        the_first_change_since_tells_what_was_there,
    }
    journal {
        blocks_are_found_by_any_moment_they_cover,
        an_append_done_twice_is_kept_once,
        refusals_are_found_by_their_trace,
        a_purge_takes_what_ended_before_and_no_more_than_asked,
        a_secrets_last_use_is_shown_without_a_change,
        the_use_of_a_deleted_secret_is_not_kept,
        many_refusals_fit_one_append,
    }
    outcomes {
        reports_are_counted_by_entry_and_advice,
        no_report_is_lost_however_many_come_at_once,
    }
    once {
        revoking_a_token_twice_revokes_it_once,
        no_revocation_is_missed_by_a_reader_that_goes_on_from_the_last_number,
        an_assertion_is_used_once_however_many_try,
        an_assertion_may_be_named_by_any_text,
        what_has_expired_is_forgotten_and_nothing_else,
        an_answer_is_kept_for_its_key_and_its_actor,
    }
    sign_ins {
        an_interaction_goes_on_step_by_step,
        of_fifty_who_take_one_step_one_is_quicker,
        a_session_is_found_by_its_cookie_until_it_ends,
        noting_that_a_session_was_used_takes_nothing_back,
        a_person_has_their_sessions_newest_first,
        ending_sessions_ends_what_ends_with_them_and_nothing_else,
        a_code_is_spent_once_however_many_try,
        a_code_is_spent_with_all_that_comes_of_it_or_not_at_all,
        a_refresh_token_is_used_once_however_many_try,
        a_refresh_token_goes_on_for_as_long_as_its_grant,
        of_a_family_two_refresh_tokens_are_kept,
        ending_grants_ends_their_access_tokens,
        more_grants_than_one_transaction_takes_end_all_the_same,
        of_what_was_sent_to_one_end_the_last_is_good,
        what_is_used_once_is_used_once_however_many_try,
        forgetting_a_person_leaves_nothing_of_them_and_everything_of_others,
        a_write_that_cannot_be_kept_spoils_no_other,
        many_who_come_and_go_at_once_never_wait_for_each_other_forever,
        what_people_left_behind_is_forgotten_once_it_expired,
    }
    consents {
        a_consent_is_kept_in_place_of_the_one_before,
        of_many_who_change_a_consent_at_once_none_undoes_another,
        nothing_comes_of_a_code_whose_consent_is_gone_or_another_one,
        a_code_waits_for_whoever_ends_what_it_rests_on,
        nobody_is_signed_in_to_by_a_session_that_is_being_ended,
    }
    logouts {
        everybody_whom_a_session_signed_in_to_is_to_be_told_of_its_end,
        a_notice_is_due_again_until_it_is_forgotten,
        of_many_nodes_one_takes_a_notice,
    }
    checksums {
        a_flipped_bit_in_any_column_spoils_that_row_alone,
        a_change_does_not_build_on_what_was_altered,
        an_altered_entry_of_the_change_log_spoils_itself_alone,
        what_people_lent_is_never_more_by_a_flipped_bit,
        steps_of_people_keep_their_checksums_true,
        a_row_without_a_checksum_is_read_and_gets_one_when_it_is_changed,
        octets_that_are_no_text_spoil_their_row_alone,
        what_was_altered_stays_refused_after_a_restore_and_the_rest_stays_whole,
        rows_loaded_in_bulk_have_checksums,
    }
    migrations {
        migrating_twice_changes_nothing_the_second_time,
        eight_nodes_may_migrate_at_once,
        a_migration_goes_on_where_it_was_interrupted,
        the_schema_is_brought_up_to_date_under_load_and_no_request_fails,
        rows_of_before_get_their_checksums_in_the_migration,
        what_an_older_node_changes_is_read_by_a_newer_one,
        a_schema_from_the_future_is_refused,
        a_step_with_another_text_is_refused,
        a_store_that_was_not_migrated_says_so,
    }
    backups {
        a_restored_store_holds_what_the_backup_held,
        a_backup_is_restored_on_the_other_engine,
        a_backup_made_while_others_write_is_one_consistent_state,
        a_database_that_is_not_empty_is_left_alone,
        a_backup_cut_short_anywhere_is_refused_and_nothing_is_written,
        a_backup_with_any_octet_changed_is_refused_and_nothing_is_written,
        what_is_no_backup_is_refused,
        a_backup_file_is_for_its_owner_alone_and_never_overwritten,
        no_revision_is_used_twice_after_a_restore,
    }
    values {
        texts_of_any_kind_and_size_read_back_as_they_were,
        a_nul_octet_is_refused_and_spoils_nothing,
        numbers_at_the_edge_of_63_bits_are_kept,
        a_document_that_cannot_be_read_spoils_only_itself,
    }
    kill {
        no_acknowledged_change_is_lost_and_none_is_half_there_when_killed,
    }
    faults {
        a_store_that_is_closed_is_unavailable,
        the_registry_held_by_another_process_makes_writers_wait_and_readers_not,
    }
}
