"""The rows of the conformance suite, and the tests that are their identity and their guard.

A guard shows that the identity's test can fail: the same comparison with something wrong in it does. Tests
stand where what they test stands; this table is where a row is looked up. Of a test that is parametrised
``[id]`` names one case.
"""

from __future__ import annotations

from typing import NamedTuple

HERE, CREDIT, RULES = "tests/conformance/", "tests/credit/", "tests/rules/"
FORWARD, KINDS, TOGETHER, BATTERY = (
    HERE + f"test_{name}.py::test_" for name in ("forward", "kinds", "rules_together", "battery")
)
BPTT, WINDOWS, RELAY, TRANSPORT = (
    CREDIT + f"test_{name}.py::test_" for name in ("bptt", "windows", "relay", "transport")
)
ADJOINT, RANK_ONE, PERTURB, LEAST_SQUARES, LEARNED = (
    RULES + f"test_{name}.py::test_"
    for name in ("adjoint_family", "rank_one", "perturbation", "least_squares", "learned_predictors")
)
GUARDS = HERE + "test_guards.py::test_"
CONTRACT = "tests/circuits/test_contract.py::test_"
CHECK = "tests/cli/test_check.py::test_"
WRONG = CHECK + "what_is_wrong_on_purpose_is_found"


class Row(NamedTuple):
    """One row: what must hold, the tests that say it does, and those that say they can fail."""

    what: str
    identity: tuple[str, ...]
    guard: tuple[str, ...]


ROWS = {
    1: Row(
        "bptt is the finite differences of every parameter, fed-back and leaky readouts included",
        (
            BPTT + "finite_differences_for_every_block",
            BPTT + "initial_state_finite_differences",
            CONTRACT + "gradients",
            "tests/circuits/test_output_feedback.py::test_gradients_are_finite_differences",
            "tests/circuits/test_leaky_readout.py::test_gradients_are_finite_differences",
        ),
        (BPTT + "planted_mistakes_are_seen", CONTRACT + "the_battery_can_fail"),
    ),
    2: Row(
        "rtrl is bptt, whatever kind of circuit it is",
        (KINDS + "rtrl_after_or_within_the_trial_is_bptt",),
        (FORWARD + "single_steps_of_the_two_ways_differ",),
    ),
    3: Row(
        "traces are the recursion for every transport, feedback and dynamics, relayed credit too",
        (
            FORWARD + "traces_are_the_recursion_for_every_transport_and_feedback",
            FORWARD + "a_trace_of_its_own_for_every_synapse_is_the_recursion_without_transport",
            FORWARD + "taps_are_the_recursion_of_relayed_credit_without_memory",
            RELAY + "the_recursion_is_the_sum_of_traces",
        ),
        (FORWARD + "single_steps_of_the_two_ways_differ",),
    ),
    4: Row(
        "rules of a linear transport are the finite differences of the surrogate",
        (
            TOGETHER + "rules_of_a_linear_transport_are_the_differences_of_the_surrogate",
            ADJOINT + "finite_differences_of_the_surrogate",
        ),
        (FORWARD + "the_surrogate_with_another_transport_is_another_gradient",),
    ),
    5: Row(
        "one step with symmetric feedback is exact; two with one hop over exact weights",
        (
            TOGETHER + "one_step_with_symmetric_feedback_is_exact",
            RANK_ONE + "one_step_is_exact_for_kf_rtrl_alone",
        ),
        (TOGETHER + "two_steps_are_not_unless_one_hop_has_exact_weights",),
    ),
    6: Row(
        "local rules are one rule where they should be",
        (
            TOGETHER + "a_diagonal_reaches_all_where_there_is_nothing_else",
            ADJOINT + "local_rules_are_one_rule_where_they_should_be",
            LEARNED + "kernl_with_the_leak_as_kernel_is_rflo",
        ),
        (TOGETHER + "a_weight_off_the_diagonal_or_on_it_is_felt",),
    ),
    7: Row(
        "snap as far as the diameter is rtrl",
        (FORWARD + "influence_as_far_as_the_diameter_is_all_of_it",),
        (FORWARD + "influence_one_synapse_short_of_the_diameter_is_not",),
    ),
    8: Row(
        "windows are bptt, influence forgotten at blocks, and explicit sums over pairs",
        (
            WINDOWS + "a_window_as_long_as_the_trial_is_bptt",
            WINDOWS + "window_is_the_sum_over_pairs",
            FORWARD + "blocks_are_influence_forgotten_at_their_starts",
        ),
        (WINDOWS + "the_two_kinds_differ",),
    ),
    9: Row(
        "one hop is the part of first order in the transport",
        (RELAY + "one_hop_is_the_part_of_first_order_in_the_transport",),
        (RELAY + "published_one_hop_is_that_of_the_recursion_only_without_a_leak",),
    ),
    10: Row(
        "relayed credit is one hop, no hop and bptt where it should be",
        (
            TOGETHER + "credit_relayed_without_a_slope_makes_one_hop",
            RELAY + "linear_units_of_the_same_slope_relay_exactly",
            RELAY + "without_transport_nothing_is_relayed",
            FORWARD + "taps_are_the_recursion_of_relayed_credit_without_memory",
        ),
        (
            TOGETHER + "credit_relayed_with_a_slope_makes_more_than_one_hop",
            GUARDS + "relayed_credit_of_curved_units_or_without_memory_is_not_bptt",
        ),
    ),
    11: Row(
        "true matrices turn the controls of alignment into bptt; a type a neuron gives exact weights",
        (
            ADJOINT + "true_matrices_turn_the_controls_into_bptt",
            TRANSPORT + "every_neuron_its_own_type_is_the_weights",
        ),
        (TOGETHER + "drawn_matrices_are_not_the_true_ones",),
    ),
    12: Row(
        "the mean over all sign patterns is rtrl",
        (
            RANK_ONE + "mean_over_all_sign_patterns_is_exact",
            KINDS + "drawn_factors_are_right_on_average_after_a_warm_up_into_a_leaky_readout",
        ),
        (RANK_ONE + "fresh_signs_in_each_factor_fail",),
    ),
    13: Row(
        "the bias of node perturbation falls with the square of the noise",
        (PERTURB + "bias_of_node_perturbation_falls_with_the_square_of_the_noise",),
        (PERTURB + "a_factor_of_the_neuron_or_fresh_noise_is_another_rule",),
    ),
    14: Row(
        "enumerated pairs have the gradient as their mean, and the variance P − 1",
        (
            PERTURB + "enumerated_pairs_have_the_gradient_as_mean_and_variance_p_minus_one",
            PERTURB + "enumerated_shifts_of_single_trials_have_the_gradient_as_mean",
        ),
        (),
    ),
    15: Row(
        "means of many draws lie in their interval around the gradient",
        (
            PERTURB + "mean_of_many_draws_lies_in_its_interval_and_a_biased_gradient_does_not",
            RANK_ONE + "drawn_signs_are_right_on_average_in_sparse_circuits",
        ),
        (RANK_ONE + "signs_that_repeat_from_step_to_step_are_outside_the_interval",),
    ),
    16: Row(
        "recursive least squares is the ridge solution",
        (
            LEAST_SQUARES + "force_without_feedback_is_the_ridge_solution_around_the_first_weights",
            LEAST_SQUARES + "the_error_left_is_the_error_before_over_one_plus_rPr",
        ),
        (LEAST_SQUARES + "another_ridge_has_another_solution",),
    ),
    17: Row(
        "learned predictors descend their miss; adaptive feedback contracts",
        (
            LEARNED + "the_exact_credit_is_a_fixed_point_of_dni",
            LEARNED + "kernl_descends_its_miss",
            CREDIT + "test_feedback.py::test_adaptive_feedback_contracts_exactly_whatever_moves_the_readout",
        ),
        (GUARDS + "kernl_with_its_two_sums_in_the_wrong_order_descends_nothing",),
    ),
    18: Row(
        "moves within the trial tend to the gradient",
        (
            FORWARD + "moves_within_the_trial_tend_to_the_gradient",
            KINDS + "moves_of_next_to_nothing_are_the_gradient",
            LEARNED + "online_with_small_steps_is_the_gradient",
        ),
        (FORWARD + "large_moves_within_the_trial_are_not_the_gradient",),
    ),
    19: Row(
        "rules that are not exact differ from bptt and from each other",
        (
            TOGETHER + "a_rule_that_is_not_exact_differs_from_bptt",
            TOGETHER + "rules_of_other_ways_differ_from_each_other",
            BATTERY + "battery",
        ),
        (TOGETHER + "at_one_step_with_symmetric_feedback_nothing_differs", WRONG + "[HidesExact]"),
    ),
    20: Row(
        "padding changes no gradient, state or draw; steps without loss carry credit",
        (BATTERY + "battery", TOGETHER + "steps_without_loss_give_no_error_and_carry_credit"),
        (TOGETHER + "what_stands_in_steps_that_are_valid_is_felt", WRONG + "[ForgetsValid]"),
    ),
    21: Row("a batch is the mean of its trials", (BATTERY + "battery",), (WRONG + "[Sums]",)),
    22: Row(
        "gradients are pulled back through constraints",
        (
            CONTRACT + "gradients",
            CONTRACT + "constraints_and_configuration",
            KINDS + "rtrl_after_or_within_the_trial_is_bptt",
            KINDS + "estimates_from_noise_are_pulled_back",
        ),
        (
            FORWARD + "a_forgotten_pull_back_is_seen",
            KINDS + "a_forgotten_pull_back_of_what_runs_forward_is_seen",
            KINDS + "a_forgotten_pull_back_of_estimates_from_noise_is_seen",
        ),
    ),
    23: Row(
        "gradients converge as dt is halved",
        (
            HERE + "test_halving.py::test_differences_of_gradients_halve_with_dt",
            RELAY + "relayed_credit_converges_with_dt_and_memoryless_hops_vanish",
        ),
        (WRONG + "[Coarse]",),
    ),
    24: Row(
        "relabelling neurons relabels the gradient; no error, no gradient",
        (
            TOGETHER + "relabelled_neurons_relabel_the_gradient",
            TOGETHER + "no_error_and_no_penalty_give_nothing",
            PERTURB + "draws_come_from_the_trial_key_and_do_not_depend_on_the_number_of_steps",
        ),
        (TOGETHER + "a_matrix_that_keeps_its_place_does_not_relabel",),
    ),
    25: Row(
        "float32 is float64; gradient is pure and compiles once",
        (BATTERY + "battery",),
        (WRONG + "[Double]", WRONG + "[Counts]", WRONG + "[DrawsGlobally]"),
    ),
}

WITHOUT_GUARD = (14,)
"""Rows whose identity is an enumeration with two exact numbers, which leave nothing to guard."""
