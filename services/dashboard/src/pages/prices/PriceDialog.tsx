/** From a model without a price to requests with a cost: the price, what it changes, and the run. */
import { useState } from "react";
import type { AddedPrice, RepriceBody } from "../../api/prices";
import { Actions, Dialog, Note, Warning } from "../../ui/Dialog";
import { Button } from "../../ui/ui";
import { PriceForm, type Wanted } from "./PriceForm";
import { RepriceSteps } from "./RepriceSteps";

interface Props {
  wanted: Wanted;
  zone: string;
  onClose: () => void;
}

export function PriceDialog({ wanted, zone, onClose }: Props) {
  const [added, setAdded] = useState<{ price: AddedPrice; again: RepriceBody }>();
  const [isCharging, setCharging] = useState(false);
  if (added && isCharging)
    return (
      <Dialog title={`Charge ${added.price.model} again`} onClose={onClose} isWide>
        <RepriceSteps body={added.again} onClose={onClose} />
      </Dialog>
    );
  if (added)
    return (
      <Dialog title={`${added.price.model} has a price`} onClose={onClose}>
        <Note>
          New requests cost what it says, within seconds. Requests from before keep the cost they have, or lack, until
          they are charged again.
        </Note>
        {added.price.other_billed_models.length > 0 && (
          <Warning>
            It is not for requests that asked for this model and were billed as{" "}
            {added.price.other_billed_models.join(", ")}: prices go by the billed name.
          </Warning>
        )}
        <Actions>
          <Button onClick={onClose}>Leave old requests</Button>
          <Button kind="primary" onClick={() => setCharging(true)}>
            See what charging again changes
          </Button>
        </Actions>
      </Dialog>
    );
  return (
    <Dialog title={wanted.model ? `Price ${wanted.model}` : "Add a price"} onClose={onClose} isWide>
      <PriceForm
        wanted={wanted}
        zone={zone}
        onCancel={onClose}
        onAdded={(price, again) => setAdded({ price, again })}
      />
    </Dialog>
  );
}

export function RepriceDialog({ body, onClose }: { body: RepriceBody; onClose: () => void }) {
  return (
    <Dialog title="Charge again" onClose={onClose} isWide>
      <RepriceSteps body={body} onClose={onClose} />
    </Dialog>
  );
}
