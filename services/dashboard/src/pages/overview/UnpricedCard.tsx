/** Models without a price, those with the most requests: an admin key prices them from here. */
import type { Unknown } from "../../api/queries";
import { count, pluralize } from "../../format/format";
import { Card } from "../../ui/ui";
import { UnpricedModels } from "../prices/Unpriced";

const SHOWN = 5;

export default function UnpricedCard({ models, zone }: { models: Unknown; zone: string }) {
  return (
    <Card
      title="Without a price"
      note={`${count(models.unpriced_requests)} of ${pluralize(models.requests, "request")}`}
    >
      <UnpricedModels models={models.models as never} zone={zone} limit={SHOWN} />
    </Card>
  );
}
