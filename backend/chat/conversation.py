"""One writer's conversation: the choices, the turns, and what of them the next prompt carries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from backend.chat.commission import Commission, settle
from backend.chat.copies import MAX_ATTEMPTS, FindLines, copied_lines, find_lines
from backend.chat.intent import CHECK_COMMAND, Intent, read_intent
from backend.chat.limits import Limits, admit_prompt
from backend.chat.memory import Memory
from backend.chat.metre import Metre
from backend.chat.options import MAX_SEED, Options, OptionSchema
from backend.chat.outcome import Outcome, is_whole, lock_others
from backend.chat.plans import Change, CheckPlan, Plan, Turn, WritePlan
from backend.chat.prompts import opening, question_messages
from backend.errors import Language, RequestError
from backend.prosody.catalog import AUTO
from backend.prosody.checker import check
from backend.types import GenerationRequest, Message, Style, TextGenerator


class Conversation:
    """State of one session; no other session sees it. Not thread-safe: one task at a time."""

    def __init__(
        self,
        generator: TextGenerator,
        styles: Mapping[str, Style],
        schema: OptionSchema,
        *,
        session: str,
        language: Language = "zh",
        limits: Limits | None = None,
        metre: Metre | None = None,
        known_lines: FindLines = find_lines,
    ) -> None:
        """``metre`` keeps poems in their form; None where the generator takes no constraints. ``known_lines`` finds
        the lines that a style's adapter was trained on."""
        self.metre = metre
        self.known_lines = known_lines
        self.generator = generator
        self.styles = styles
        self.schema = schema
        self.session = session
        self.language: Language = language
        self.limits = limits or Limits()
        self.options = schema.defaults(list(styles))
        self.options = self._clamped({})[0]
        self._memory = Memory()

    @property
    def turns(self) -> list[Turn]:
        """What was said, oldest first."""
        return self._memory.turns

    @property
    def last_poem(self) -> Turn | None:
        """The last turn whose answer is a poem."""
        return self._memory.last_poem

    @property
    def style(self) -> Style:
        """The style that the next message uses."""
        return self.styles[self.options.style]

    @property
    def poets(self) -> dict[str, tuple[str, ...]]:
        """The names that each style's poet goes by."""
        return {
            style.id: tuple({name for name in (style.poet, *style.name.values()) if name})
            for style in self.styles.values()
            if style.poet
        }

    def offer(self, styles: Mapping[str, Style]) -> bool:
        """Use these styles from the next message on; whether they are others. A choice that is gone gives way to the
        default."""
        if styles == self.styles:
            return False
        self.styles = styles
        if self.options.style not in styles:
            self.options = replace(self.options, style=self.schema.defaults(list(styles)).style)
        return True

    def change(self, values: Mapping[str, object]) -> Change:
        """Take what a client sent: clamped, whitelisted, in force from the next message on."""
        before = self.options
        self.options, refused = self._clamped(values)
        return Change(before, self.options, tuple(refused))

    def _clamped(self, values: Mapping[str, object]) -> tuple[Options, list[RequestError]]:
        return self.schema.apply(self.options, values, self.styles.keys(), max_new_tokens=self.limits.max_new_tokens)

    def plan(self, text: str, *, turn_id: str, command: str | None = None) -> Plan:
        """Decide how ``text`` is answered.

        Raises:
            TooLongError: the message can't fit, whatever older turns are left out.
            RequestError: the message is empty, or there is no poem to check.
            ProsodyError: there is no such form or rhyme, or the wishes can't be kept together.
        """
        text = self.limits.admit(text, may_be_empty=command == CHECK_COMMAND)
        intent = read_intent(text, command=command, poets=self.poets)
        options = replace(self.options, style=intent.style) if intent.style else self.options
        if intent.kind == "check":
            plan: Plan | None = self._check(intent, text, turn_id)
            if plan is not None:
                return plan
            intent = Intent(kind="question")  # it spoke of checking, and there is nothing to check
        if intent.kind == "poem":
            last = self.last_poem
            commission = settle(intent, options, last.poem if last is not None else None)
            plan = self._commission(commission, intent, options, text, turn_id, last if intent.again else None)
        else:
            plan = self._question(intent, options, text, turn_id)
            self._memory.first_kept = plan.left_out
        self.options = options
        return plan

    def plan_again(self, turn_id: str, *, new_turn_id: str) -> WritePlan:
        """Another poem on the topic of an earlier one, in its form, its rhyme and by its poet.

        Raises:
            RequestError: there is no such poem any more.
        """
        turn, commission = self._poem_of(turn_id)
        return self._commission(commission, turn.intent, self._options_of(turn), turn.text, new_turn_id, turn)

    def plan_rewrite(self, turn_id: str, line: int) -> WritePlan:
        """One line of a poem (from 1) written anew: all others, form, rhyme and poet stay. When it is kept, it takes
        the poem's place.

        Raises:
            RequestError: there is no such poem any more, it is unfinished, or has no such line; or nothing here can
                hold the other lines.
            ProsodyError: the other lines don't keep the form.
        """
        turn, commission = self._poem_of(turn_id)
        if self.metre is None:
            raise RequestError(
                "This model can't hold the other lines; ask for another poem.", "这个模型锁不住其余各句；请另写一首。"
            )
        locked = lock_others(commission, turn.answer, line)
        plan = self._commission(locked, turn.intent, self._options_of(turn), turn.text, turn_id, turn)
        return replace(plan, line=line)

    def copied(self, plan: WritePlan, text: str) -> tuple[int, ...]:
        """Numbers, from 1, of the lines of a poem, whole or still growing, that its adapter copied from a poem that
        it was trained on; lines that were to stay are none."""
        if plan.poem is None:
            return ()
        return copied_lines(self.known_lines(plan.style), text, plan.poem.locked.values())

    def retry_plan(self, plan: WritePlan, text: str) -> WritePlan | None:
        """The same poem with the next seed where ``text`` has a copied line; None where it hasn't, or where it was
        tried often enough. Worth asking while the poem grows: the answer comes with the first copied line."""
        if plan.attempt >= MAX_ATTEMPTS or not self.copied(plan, text):
            return None
        seed = (plan.seed + 1) % (MAX_SEED + 1)
        return replace(
            plan, request=replace(plan.request, seeds=(seed,), id=uuid.uuid4().hex), attempt=plan.attempt + 1
        )

    def keep(self, plan: Plan, answer: str = "") -> None:
        """Remember an answer, or the part of it that was written before Stop. A check is remembered by its summary.
        A poem of which one line was to change is replaced only by a whole one."""
        if isinstance(plan, CheckPlan):
            self.turns.append(Turn(plan.turn_id, plan.text, plan.answer, plan.intent, plan.style.id))
            return
        answer = answer.strip()
        turn = Turn(plan.turn_id, plan.text, answer, plan.intent, plan.style.id, plan.poem, plan.seed)
        if plan.line is None:
            if answer:
                self.turns.append(turn)
        elif plan.poem is not None and is_whole(plan.poem, answer):
            self._memory.replace(replace(turn, poem=replace(plan.poem, locked={}, instead_of=None)))

    def judge(self, plan: WritePlan, text: str) -> Outcome | None:
        """What became of a poem: its verdict, the form and the rhyme that it kept. None for an answer."""
        return Outcome.of(plan.poem, text) if plan.poem is not None else None

    def knows(self, turn_id: str) -> bool:
        """Whether there is a turn with this id."""
        return self._memory.find(turn_id) is not None

    def rewind(self, turn_id: str) -> bool:
        """Forget the turn with this id and all after it, for a message that was edited. Whether there was one."""
        return self._memory.rewind(turn_id)

    def upcoming(self) -> tuple[Message, ...]:
        """How the next question's prompt will begin."""
        begin = opening(self.style, self.language, self.options.system_prompt)
        return (begin, *self._memory.messages(self._memory.first_kept))

    def _check(self, intent: Intent, text: str, turn_id: str) -> CheckPlan | None:
        """The verdict on what was pasted, or on the last poem; None where there is neither and no command."""
        last = self.last_poem
        poem, form, book = intent.pasted, intent.form or AUTO, intent.wishes.book or self.options.book
        if not poem and last is not None and last.poem is not None:
            poem, form = last.answer, intent.form or last.poem.form.name
            book = intent.wishes.book or last.poem.book
        if not poem:
            if not intent.forced:
                return None
            raise RequestError(
                "There is no poem to check; paste one behind 检.", "没有可检的诗；请把诗贴在“检”的后面。"
            )
        verdict = check(poem, form, book)
        answer = verdict.summary_zh if self.language == "zh" else verdict.summary_en
        return CheckPlan(
            turn_id=turn_id,
            text=text,
            intent=intent,
            style=self.style,
            options=self.options,
            verdict=verdict,
            answer=answer,
        )

    def _commission(
        self,
        commission: Commission,
        intent: Intent,
        options: Options,
        text: str,
        turn_id: str,
        before: Turn | None = None,
    ) -> WritePlan:
        """The plan of a poem. ``before`` is the one that it follows or changes: the same seed would repeat it."""
        style = self.styles[options.style]
        constraint = None
        if self.metre is not None and commission.strict:
            constraint = commission.constraint(self.metre, self.known_lines(style))
        longest = min(options.max_new_tokens, self.generator.context_length // 2)
        if constraint is not None:
            longest = self.limits.room_for(commission.form, self.generator.context_length)
        messages = commission.messages(style)
        admit_prompt(self.generator.count_tokens(messages), self.generator.context_length - longest)
        request = GenerationRequest(
            messages=messages,
            adapter=style.id if style.adapter is not None else None,
            samplings=(options.sampling,),
            seeds=(options.draw_seed(before.seed if before is not None else None),),
            max_new_tokens=longest,
            constraint=constraint,
            session=self.session,
        )
        return WritePlan(
            turn_id=turn_id,
            text=text,
            intent=intent,
            style=style,
            options=options,
            request=request,
            poem=commission,
            switched=options.style != self.options.style,
        )

    def _question(self, intent: Intent, options: Options, text: str, turn_id: str) -> WritePlan:
        style = self.styles[options.style]
        longest = min(options.max_new_tokens, self.generator.context_length // 2)

        def prompt(history: tuple[Message, ...]) -> tuple[Message, ...]:
            return question_messages(style, self.language, options.system_prompt, history, text)

        budget = self.generator.context_length - longest
        admit_prompt(self.generator.count_tokens(prompt(())), budget)
        first, messages = self._memory.fit(budget, prompt, self.generator.count_tokens)
        request = GenerationRequest(
            messages=messages,
            samplings=(options.sampling,),
            seeds=(options.draw_seed(),),
            max_new_tokens=longest,
            session=self.session,
        )
        return WritePlan(
            turn_id=turn_id,
            text=text,
            intent=intent,
            style=style,
            options=options,
            request=request,
            left_out=first,
            newly_left_out=first > self._memory.first_kept,
            switched=options.style != self.options.style,
        )

    def _poem_of(self, turn_id: str) -> tuple[Turn, Commission]:
        turn = self._memory.find(turn_id)
        if turn is None or turn.poem is None:
            raise RequestError(
                "That poem is no longer in the conversation; ask for it again.", "对话里已没有那首诗；请重新出题。"
            )
        return turn, turn.poem

    def _options_of(self, turn: Turn) -> Options:
        """The current choices, with the poet who wrote the turn."""
        return replace(self.options, style=turn.style if turn.style in self.styles else self.options.style)
