import { useState } from "react";

/** What the answer that is shown was asked for: `asked`, or while that has no answer yet, what was asked before. */
export function useAnswered<Question>(asked: Question, isAnswer: boolean): Question {
  const [answered, setAnswered] = useState(asked);
  if (isAnswer && JSON.stringify(answered) !== JSON.stringify(asked)) setAnswered(asked);
  return isAnswer ? asked : answered;
}
