/** Where a session stands among those of its name, as a sentence. */
import type { Distribution } from "../../api/sessions";
import { count } from "../../format/format";

type Ranked = Pick<Distribution, "rank" | "known">;

/** Never more than is so: 99.7 % is 99 %. Undefined where there is no other to compare with. */
export function rankText({ rank, known }: Ranked, name: string): string | undefined {
  const all = Number(known);
  if (!rank || all < 2) return undefined;
  const [below, above] = [Number(rank.below), Number(rank.above)];
  const those = `of the ${count(all)} sessions named ${name}`;
  if (above === 0) return `The dearest ${those}`;
  if (below === 0) return `The cheapest ${those}`;
  if (below >= above) return `Costs more than ${Math.floor((below / all) * 100)} % ${those}`;
  return `Costs less than ${Math.floor((above / all) * 100)} % ${those}`;
}
