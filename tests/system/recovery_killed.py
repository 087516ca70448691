"""Wherever a recovery is killed itself, the next `staithe recover` puts things right: no request fails, and a host that was
given back stays in rotation."""
import unittest

import harness
import trials
from trials import DIED, Point, Trial, end_at, let_go, slow_down_after, slow_down_end_of


class RecoveryKilled(trials.Trials):
    def setUp(self):
        self.ended = []  # points whose recovery came to its end before it could be killed there

    def kill_recovery(self, trial):
        """Recovers the trial's deploy and kills that at the point's `again`: how it ended, and what is wrong about it."""
        again, sandbox = trial.point.again, trial.sandbox
        known = sandbox.rows("SELECT json_group_array(id) FROM staithe_runs")[0][0]
        if again.end_of:
            slow_down_end_of(sandbox, again.end_of)
        else:
            slow_down_after(sandbox, again.k)
        run = sandbox.begin("recover", "-e", "production", "--yes")
        reached = end_at(sandbox, run, again, known)
        result = run.wait(90)
        let_go(sandbox)
        if not reached and not again.end_of and result.code in (0, 5):
            return result, []
        if not reached or result.code != DIED:
            return result, [f"the recovery was not killed: {result}"]
        if again.end_of == "recover" and (open_runs := sandbox.rows(
                "SELECT id FROM staithe_runs WHERE ended IS NULL AND kind != 'recover'")):
            return result, [f"the recovery was to end before what it recovered: {open_runs}"]
        return result, []

    def judge_second_recovery(self, trial):
        first, problems = self.kill_recovery(trial)
        if problems:
            return problems
        if first.code != DIED:
            self.ended.append(str(trial.point))
            return self.judge_recovered(trial, first)
        serves = trial.sandbox.all_serving() == {}
        with harness.watched(trial.sandbox) as seen:
            problems = self.judge_recovery(trial)
        # It was given back, or all but: nothing needs it out of rotation any more.
        if serves and (out := [state for state in seen if "admin" in state]):
            problems.append(f"it served and was taken out again: {out}")
        return problems

    def actions_of_recovery(self, point):
        """How many actions it takes to recover from there when nothing else goes wrong."""
        trial = Trial(self.sandboxes[0], point)
        trial.end_it()
        self.assertEqual(self.judge_recovery(trial), [])
        return trial.sandbox.rows("SELECT count(*) FROM staithe_journal WHERE kind = 'intent' AND run_id = "
                                  "(SELECT id FROM staithe_runs WHERE kind = 'recover' ORDER BY started DESC LIMIT 1)")[0][0]

    def test_a_recovery_is_killed_at_every_action_of_its_own(self):
        points = []
        # Drained only; in maintenance; the app being changed; healthy, on its way back; back, with the rest to be done.
        for k in (9, 11, 14, 17, self.actions - 4):
            of = self.actions_of_recovery(Point(k))
            print(f"  killed at action {k}, recovered with {of} actions", flush=True)
            points += [Point(k, again=Point(j)) for j in range(1, of + 1)]
            points += [Point(k, again=Point(j, late=True)) for j in range(2, of + 1, 2 if k != 17 else 1)]
        points += [Point(14, again=Point(1, late=True, end_of=kind)) for kind in ("deploy", "recover")]
        self.each_point(points, self.judge_second_recovery)
        self.assertEqual(self.ended, [], "recoveries of one host always take the same actions")

    def test_a_recovery_of_two_hosts_is_killed(self):
        options = ("--parallel", "2")
        of = self.actions_of_recovery(Point(53, options=options))
        points = [Point(53, options=options, again=Point(j, late=j % 2 == 1)) for j in range(2, of, 3)]
        self.each_point(points, self.judge_second_recovery)
        # What two hosts had come to by then depends on their pace, and so do the actions that put them right.
        self.assertLess(len(self.ended), len(points) / 2, f"recoveries ended before they were killed: {self.ended}")


if __name__ == "__main__":
    unittest.main(verbosity=1)
