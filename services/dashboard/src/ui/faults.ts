/** Which field of a form a refusal is about: the one that the server's sentence names first. */

/** Of `names`, as the server calls them, the one in whose place the sentence belongs; undefined for none of them. */
export function faultyField<Name extends string>(message: string, names: readonly Name[]): Name | undefined {
  const found = names.map((name) => ({ name, at: message.search(new RegExp(`\\b${name}\\b`)) }));
  return found.filter(({ at }) => at >= 0).sort((left, right) => left.at - right.at)[0]?.name;
}

export interface Faults<Name extends string> {
  /** What stands below this field. */
  of: (name: Name) => string | undefined;
  /** What belongs to no field. */
  other: Error | null;
}

export function faultsOf<Name extends string>(error: Error | null, names: readonly Name[]): Faults<Name> {
  const field = error ? faultyField(error.message, names) : undefined;
  return { of: (name) => (field === name ? error?.message : undefined), other: field ? null : error };
}
